import { flushCompileCache } from "node:module";
import { setTimeout as delay } from "node:timers/promises";
import type { Plugin } from "../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import { stderrLog } from "../util/log.ts";
import { packageVersion } from "../util/package-root.ts";
import { yieldFirstPlace } from "./first-process.ts";
import { configOption, readOptions } from "./options.ts";
import { composeServer, type RunningServer } from "./serve-compose.ts";
import { type ServeOptions, serveOptions } from "./serve-options.ts";
import type { Io, Verb } from "./verb.ts";

/** `plugin-runner serve`: the service in the foreground, until SIGTERM or SIGINT. */
export const verb: Verb = {
  usage: "",
  description: "Runs the service.",
  options: [...serveOptions, configOption],
  examples: [
    ["serve --root plugins", "on this machine alone, at 127.0.0.1:50151"],
    ["serve --config server.yaml", "with options from a file"],
    ["serve --listen 0.0.0.0:50151 --tls-cert server.pem --tls-key server.key --token-file token", "for others"],
  ],
  run,
};

async function run(args: readonly string[], io: Io): Promise<number> {
  const options = readOptions(serveOptions, args, io.env);
  const log = stderrLog(options.logLevel, options.logFormat);
  await yieldFirstPlace(options.python, log, io.signal);
  // Before anybody is told that the service is there: a signal without a handler ends the process.
  const hear = () => log("info", "SIGHUP changes nothing: options and files are read at the start");
  process.on("SIGHUP", hear);
  const server = await composeServer(options, io.env, log, io.signal);
  announce(server, options, io);
  server.warmUp().then(
    (plugins) => {
      if (!options.json) io.stdout.write(listed(plugins, options.root));
      flushCompileCache(); // the next start finds it however this one ends
    },
    (error: unknown) => {
      if (!io.signal.aborted) log("error", "the plugins could not be listed", { error });
    },
  );
  await aborted(io.signal);
  log("info", "leaving: calls under way may finish, jobs go on", { drain_ms: options.drain });
  io.urgent.addEventListener("abort", () => server.answerAll(), { once: true });
  await leave(server, options);
  process.off("SIGHUP", hear);
  return 0;
}

function announce(server: RunningServer, options: ServeOptions, io: Io): void {
  const { address, httpAddress, engine, modes } = server;
  if (options.json) {
    const addresses = { address, http_address: httpAddress };
    io.stdout.write(`${JSON.stringify({ ...addresses, version: packageVersion, engine, modes, pid: process.pid })}\n`);
    return;
  }
  const ports = httpAddress === undefined ? address : `${address}, for browsers on ${httpAddress}`;
  io.stdout.write(`plugin-runner ${packageVersion} listens on ${ports} (${engine} engine; ${modes.join(", ")})\n`);
}

function listed(plugins: readonly Plugin[], roots: readonly string[]): string {
  const lines = plugins.map((plugin) => {
    const [issue] = plugin.issues;
    const actions = plugin.actions.map((action) => action.name).join(", ") || "no actions";
    return `  ${plugin.code} ${plugin.version}: ${actions}${issue ? ` (${issue.message})` : ""}\n`;
  });
  return `${plugins.length} plugins under ${roots.join(", ")}\n${lines.join("")}`;
}

async function leave(server: RunningServer, { leaveDelay, drain }: ServeOptions): Promise<void> {
  server.announceLeaving();
  await delay(leaveDelay);
  await server.close(AbortSignal.timeout(drain));
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
