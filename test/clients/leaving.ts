import { readFileSync } from "node:fs";
import { join } from "node:path";
import { lines } from "../lifecycle/scratch.ts";
import { project, startServer } from "../support/server.ts";
import { listen } from "./control.ts";

/** A service that is told to leave. */
export interface Leaving {
  address: string;
  /** The same for browsers: `host:port`. */
  web: string;
  /** A connection to it lets the service leave and start again once a run has begun, and is then closed. */
  leave: string;
}

/** Starts a service with the plugin `leaving`, which writes the begin of its runs into `dir`. */
export async function startLeaving(dir: string): Promise<Leaving & AsyncDisposable> {
  await using starting = new AsyncDisposableStack();
  const starts = join(dir, "starts");
  const server = starting.use(
    await startServer({
      roots: [join(project, "test/fixtures/clients")],
      args: ["--drain", "50ms", "--grace", "50ms", "--pass-env", "STARTS", "--http-listen", "127.0.0.1:0"],
      env: { STARTS: starts },
    }),
  );
  const over = new AbortController();
  starting.defer(() => over.abort());
  const web = server.httpAddress;
  let begun = 0;
  const leave = async () => {
    await lines(starts, begun + 1, over.signal);
    await server.end("SIGTERM");
    begun = readFileSync(starts, "utf8").split("\n").length - 1;
    await server.start(["--http-listen", web]);
  };
  const control = await listen(
    (socket) =>
      void leave().then(
        () => socket.end(),
        (error) => socket.destroy(error),
      ),
  );
  starting.defer(() => void control.server.close());
  const ending = starting.move();
  return {
    address: server.address,
    web,
    leave: control.address,
    [Symbol.asyncDispose]: () => ending.disposeAsync(),
  };
}
