/** The plugins that are measured, as files below a plugin root. */
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { PluginRunner, SubmitJobRequestSchema } from "../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import type { Channel } from "../src/grpc/channel.ts";

/** A job outlives a benchmark that fails, but not for long. */
const jobTimeoutMs = 60_000;

/** `echo` in JavaScript and in Python: returns its params, which are checked against a schema first. */
export const echoPlugins = {
  "echo_js/config.yaml": "name: Echo\ncode: echo_js\nactions:\n  echo: { entrypoint: ./echo.ts#echo }\n",
  "echo_js/echo.ts": `
    import { defineAction } from "plugin-runner";
    export const echo = defineAction({
      params: {
        type: "object",
        required: ["text", "count"],
        properties: { text: { type: "string" }, count: { type: "integer" } },
      },
      run: (params) => params,
    });
  `,
  "echo_python/config.yaml": "name: Echo\ncode: echo_python\nactions:\n  echo: { entrypoint: main:echo }\n",
  "echo_python/main.py": `
from plugin_runner import action

@action
def echo(text: str, count: int) -> dict:
    return {"text": text, "count": count}
`,
};

/** Jobs in Python and in JavaScript that report progress `count` times, every `interval_ms`. */
export const tickPlugins = {
  "tick_python/config.yaml": "name: Tick\ncode: tick_python\nactions:\n  tick: { entrypoint: main:tick }\n",
  "tick_python/main.py": `
import os, time
from plugin_runner import action

@action
def tick(count: int, interval_ms: float, after_file: str = "", *, ctx) -> int:
    while after_file and not os.path.exists(after_file):
        time.sleep(0.01)
    start = time.monotonic()
    for i in range(1, count + 1):
        time.sleep(max(0, start + i * interval_ms / 1000 - time.monotonic()))
        ctx.set_progress(i, count)
    return count
`,
  "tick_js/config.yaml": "name: Tick\ncode: tick_js\nactions:\n  tick: { entrypoint: ./tick.ts#tick }\n",
  "tick_js/tick.ts": `
    import { existsSync } from "node:fs";
    import { setTimeout } from "node:timers/promises";
    import { defineAction } from "plugin-runner";
    export const tick = defineAction({
      params: {
        type: "object",
        required: ["count", "interval_ms"],
        properties: { count: { type: "integer" }, interval_ms: { type: "number" }, after_file: { type: "string" } },
      },
      async run({ count, interval_ms, after_file = "" }, ctx) {
        while (after_file && !existsSync(after_file)) await setTimeout(10);
        const start = performance.now();
        for (let i = 1; i <= count; i++) {
          await setTimeout(Math.max(0, start + i * interval_ms - performance.now()));
          ctx.setProgress(i, count);
        }
        return count;
      },
    });
  `,
};

/** How often, in what intervals, and not before there is a certain file. */
export type Ticks = { count: number; interval_ms: number; after_file?: string };

/** Submits a job that reports progress `count` times, and follows it. */
export function submitTicks(channel: Channel, plugin: string, params: Ticks) {
  const timeout = durationFromMs(jobTimeoutMs);
  const request = create(SubmitJobRequestSchema, { plugin, action: "tick", params, timeout });
  return channel.stream(PluginRunner.method.submitJob, request);
}

/** As many plugins as asked for, alike but for their codes. */
export function manyPlugins(count: number): Record<string, string> {
  const files: Record<string, string> = {};
  for (let i = 0; i < count; i++) {
    const code = `plugin_${String(i).padStart(4, "0")}`;
    files[`${code}/config.yaml`] = configOf(code, "1.0.0");
    files[`${code}/main.py`] =
      "from plugin_runner import action\n\n@action\ndef work(times: int = 1) -> int:\n    return times\n";
  }
  return files;
}

/** The `config.yaml` of one of `manyPlugins`. */
export function configOf(code: string, version: string): string {
  return `name: Plugin\ncode: ${code}\nversion: ${version}\nactions:\n  work: { entrypoint: main:work }\n`;
}
