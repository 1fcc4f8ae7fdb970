import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { PluginRunner } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { type ErrorDetails, PluginRunnerError, type Reason, reasons } from "../../src/errors.ts";
import { Admission } from "../../src/grpc/admission.ts";
import { OpenCalls } from "../../src/grpc/open-calls.ts";
import { ConnectCalls } from "../../src/http/connect-calls.ts";
import { silentLog } from "../../src/util/log.ts";
import { fakeServer, unary } from "../grpc/fake-server.ts";
import { makeCertificates } from "../support/certificates.ts";
import { TcpProxy } from "../support/proxy.ts";
import { fixtures, project, startServer, type TestServer } from "../support/server.ts";
import { type Listening, listen, listening } from "./control.ts";
import { startLeaving } from "./leaving.ts";

/** What the suite of every client is told: addresses of `host:port`, and paths of files. */
export interface Targets {
  /** The cases: see README.md beside it. */
  cases: string;
  /** The table of values: see README.md as well. */
  values: string;
  /** A service with the plugins of the cases. */
  plain: string;
  /** The same behind TLS with an authority of the test's own, and a token. */
  secure: { address: string; ca: string; token: string };
  /** The same behind TLS that wants a certificate of the client as well. */
  mutual: { address: string; ca: string; cert: string; key: string };
  /** Fails every `RunPlugin` with the reason that `action` names. */
  reasons: string;
  /** Takes no call: connections are closed as they come. */
  down: string;
  /** Passes all on to `plain`. A connection to `cut` cuts every connection through it, and is then closed. */
  proxy: { address: string; cut: string };
  /**
   * Passes all on to `plain`. After a connection to `silence`, which is then closed, those through it stay open and say
   * nothing more; new ones say nothing for their first 1.5 s either, until one has lasted so long.
   */
  silent: { address: string; silence: string };
  /**
   * A service with the plugin `leaving`. A connection to `leave` waits until a run has begun, ends the service by SIGTERM,
   * starts it again on the same address, and is then closed.
   */
  leaving: { address: string; leave: string };
  /** The same for browsers, as URLs. A page of any other origin than their own may not call them. */
  web: { plain: string; secure: string; reasons: string; down: string; proxy: string; leaving: string };
}

const roots = [fixtures, join(project, "test/fixtures/clients")];

/** Starts all that the cases of the clients need. Disposing it ends it all. */
export async function startTargets(): Promise<Targets & AsyncDisposable> {
  await using starting = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), "plugin-runner-clients-"));
  starting.defer(() => rmSync(dir, { recursive: true, force: true }));
  const pki = makeCertificates(dir);
  const token = randomUUID();
  writeFileSync(join(dir, "token"), token);
  const tls = ["--tls-cert", pki.server.cert, "--tls-key", pki.server.key];
  const start = async (...args: string[]): Promise<TestServer> =>
    starting.use(await startServer({ roots, args: ["--grace", "500ms", ...args] }));
  const web = ["--http-listen", "127.0.0.1:0"];
  const plain = await start(...web);
  const secure = await start(...tls, "--token-file", join(dir, "token"), ...web);
  const mutual = await start(...tls, "--tls-client-ca", pki.ca);
  const scripted = starting.use(await fakeServer([unary(PluginRunner.method.runPlugin, fail)]));
  const scriptedWeb = await scriptedForBrowsers();
  starting.defer(() => void scriptedWeb.server.close());
  const proxy = starting.use(await TcpProxy.listen(plain.address));
  const webProxy = starting.use(await TcpProxy.listen(plain.httpAddress));
  const cutter = await listen((socket) => {
    proxy.cut();
    webProxy.cut();
    socket.end();
  });
  starting.defer(() => void cutter.server.close());
  const silent = starting.use(await TcpProxy.listen(plain.address));
  const silencer = await listen((socket) => {
    silent.silence(1500);
    socket.end();
  });
  starting.defer(() => void silencer.server.close());
  const leaving = starting.use(await startLeaving(dir));
  const down = await listen((socket) => socket.destroy());
  starting.defer(() => void down.server.close());
  const ending = starting.move();
  return {
    cases: join(import.meta.dirname, "cases.json"),
    values: join(project, "contract/values.json"),
    plain: plain.address,
    secure: { address: byName(secure.address), ca: pki.ca, token },
    mutual: { address: byName(mutual.address), ca: pki.ca, ...pki.client },
    reasons: scripted.address,
    down: down.address,
    proxy: { address: proxy.address, cut: cutter.address },
    silent: { address: silent.address, silence: silencer.address },
    leaving: { address: leaving.address, leave: leaving.leave },
    web: {
      plain: `http://${plain.httpAddress}`,
      secure: `https://${byName(secure.httpAddress)}`,
      reasons: `http://${scriptedWeb.address}`,
      down: `http://${down.address}`,
      proxy: `http://${webProxy.address}`,
      leaving: `http://${leaving.web}`,
    },
    [Symbol.asyncDispose]: () => ending.disposeAsync(),
  };
}

/** What the scripted errors carry beside their reason: all that such a status may have. */
const details: Partial<Record<Reason, ErrorDetails>> = {
  PARAMS_INVALID: {
    violations: [
      { field: "/params/epochs", description: "must be >= 1", rule: "minimum" },
      { field: "/params/rate", description: "must be number", rule: "type" },
    ],
  },
  REQUEST_INVALID: { violations: [{ field: "/job_id", description: "is malformed", rule: "request" }] },
  ACTION_FAILED: { exceptionType: "ModelError", pluginStack: "first line\nsecond line" },
  OVERLOADED: { retryAfterMs: 1500 },
  ENGINE_UNAVAILABLE: { retryAfterMs: 10 },
  STORAGE_UNAVAILABLE: { retryAfterMs: 10 },
};

async function fail({ action }: { action: string }): Promise<never> {
  const reason = reasons.find((one) => one === action) ?? "INTERNAL";
  throw new PluginRunnerError(reason, `This is ${reason}: ü.`, { metadata: { word: "ü 漢" }, ...details[reason] });
}

/** The scripted service as a browser sees it. */
function scriptedForBrowsers(): Promise<Listening> {
  const { unary } = new ConnectCalls(
    new Admission({ token: undefined, maxCalls: 100, log: silentLog }),
    new OpenCalls(),
  );
  const { runPlugin } = PluginRunner.method;
  const adapter = connectNodeAdapter({ routes: (router) => router.rpc(runPlugin, unary(runPlugin.output, fail)) });
  return listening(createHttpServer(adapter));
}

/** A certificate's name cannot be an IP address in SNI. */
function byName(address: string): string {
  return address.replace("127.0.0.1", "localhost");
}
