import assert from "node:assert/strict";
import { CallersPort } from "./callers-port.ts";
import { failure } from "./run.ts";

/**
 * Has an action run out of its time while it and what it started, so many processes in all, are connected. Where the time
 * is over before that, as on a machine with other work, it gets twice as much. Resolves, once all of them are gone, with
 * what they had said.
 */
export async function outOfTime(
  processes: number,
  start: (port: number, timeoutMs: number) => Promise<unknown>,
): Promise<string[]> {
  for (let timeoutMs = 1500; ; timeoutMs *= 2) {
    await using port = await CallersPort.open();
    const ending = failure(start(port.number, timeoutMs));
    const connected = Array.from({ length: processes }, () => port.connection());
    const actions = await Promise.race([Promise.all(connected), ending.then(() => undefined)]);
    const { reason, metadata } = await ending;
    assert.deepEqual([reason, metadata.timeout_seconds], ["DEADLINE", String(timeoutMs / 1000)]);
    if (actions !== undefined) return await Promise.all(actions.map(({ closed }) => closed));
  }
}
