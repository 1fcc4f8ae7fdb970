/** The longest delay that a timer holds, in milliseconds: it has 31 bits, and a longer one would be over at once. */
export const maxTimerMs = 2 ** 31 - 1;

/** Calls `passed` once after `ms` milliseconds, however many they are. Returns what ends the wait. */
export function onceAfter(ms: number, passed: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = (left: number) => {
    timer = left > maxTimerMs ? setTimeout(wait, maxTimerMs, left - maxTimerMs) : setTimeout(passed, left);
  };
  wait(ms);
  return () => clearTimeout(timer);
}
