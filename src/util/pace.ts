import { setImmediate as nextTurn } from "node:timers/promises";

/**
 * For long synchronous work: `await` the returned function between its steps, and whenever the work has held the event
 * loop for `sliceMs`, other work gets its turn.
 */
export function pacer(sliceMs = 10): () => Promise<void> | undefined {
  let since = performance.now();
  return () => (performance.now() - since < sliceMs ? undefined : rest());

  async function rest() {
    await nextTurn();
    since = performance.now();
  }
}
