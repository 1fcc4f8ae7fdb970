/**
 * Makes what is printed leave this process before `print` returns. By default Node keeps in memory what a pipe does not
 * take at once, and loses it when the process exits or crashes.
 */
export function blockOnOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    const handle: unknown = "_handle" in stream ? stream._handle : undefined;
    if (isBlockable(handle)) handle.setBlocking(true);
  }
}

/** Node's own handle of a pipe; it is not documented, so it may go one day. */
function isBlockable(handle: unknown): handle is { setBlocking(blocking: boolean): void } {
  return handle !== null && typeof handle === "object" && "setBlocking" in handle;
}
