/**
 * How long anything in a test may take: more than ten times what the slowest needs on a machine with nothing else to do, so
 * that only what is broken comes to it. Tests wait for events; a limit is there to end one whose event never comes.
 */
export const patienceMs = 300_000;

/** Aborts when that is over. */
export function patience(): AbortSignal {
  return AbortSignal.timeout(patienceMs);
}
