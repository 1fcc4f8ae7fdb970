import type { Inspector } from "../../src/plugin/plugin.ts";
import type { DescribedAction, ScannedAction } from "../../src/worker/messages.ts";

/** Answers what it is given, and remembers what it was asked. */
export class FakeInspector implements Inspector {
  readonly asked: string[] = [];
  scanned: ScannedAction[] = [];
  /** Named actions are described by these, or as having nothing to say. */
  described: DescribedAction[] = [];
  failure: Error | undefined;

  async scan(_root: string, module: string, _signal: AbortSignal): Promise<ScannedAction[]> {
    this.asked.push(`scan ${module}`.trim());
    if (this.failure) throw this.failure;
    return this.scanned;
  }

  async describe(
    _plugin: unknown,
    entrypoints: Readonly<Record<string, string>>,
    _signal: AbortSignal,
  ): Promise<DescribedAction[]> {
    const names = Object.keys(entrypoints);
    this.asked.push(`describe ${names.join(",")}`.trim());
    if (this.failure) throw this.failure;
    if (names.length === 0) return this.described;
    return names.map((name) => this.#describe(name, entrypoints[name] ?? ""));
  }

  #describe(name: string, entrypoint: string): DescribedAction {
    const known = this.described.find((action) => action.name === name);
    return known ?? { name, entrypoint, description: "", params_schema: null, result_schema: null };
  }
}
