import { startServer, type TestServer, type TestServerOptions } from "../support/server.ts";

const env = { SERVICE_SECRET: "not for plugins", PASSED_ON: "for plugins" };

/** A service on the embedded engine, whose local mode keeps plugins out of the service's own process. */
export function startEmbedded({ args = [], ...options }: TestServerOptions): Promise<TestServer> {
  return startServer({ ...options, env, args: ["--local", "worker", ...args] });
}

/** The same, whose local mode runs JavaScript in the service's own process. */
export function startInProcess({ args = [], ...options }: TestServerOptions): Promise<TestServer> {
  return startServer({ ...options, env, args: ["--local", "in-process", ...args] });
}
