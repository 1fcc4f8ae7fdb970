import { resolvePython } from "../engine/embedded/environment-python.ts";
import { Gateway } from "../engine/ray/gateway.ts";
import { Packages } from "../engine/ray/packages.ts";
import { PluginRunnerError } from "../errors.ts";
import { findOnPath } from "../util/find-on-path.ts";
import type { Log } from "../util/log.ts";
import { openDashboard, type RayConnection } from "./open-dashboard.ts";

/** One thing that was looked at. */
export interface Finding {
  subject: string;
  state: "good" | "poor" | "bad";
  detail: string;
  /** What to do about it. */
  hint?: string;
  /** Of a bad one: as docs/errors.md lists them. */
  reason?: string;
}

type Variables = Readonly<Record<string, string | undefined>>;

/** The oldest Ray whose dashboard has all that is asked of it. */
const oldestRay = [2, 40] as const;
const gatewayIdleMs = 60_000;

/** Looks at what plugins are run with on this machine. */
export async function examineMachine(python: string, signal: AbortSignal): Promise<Finding[]> {
  const node: Finding = { subject: "Node", state: "good", detail: process.versions.node };
  return [node, await examine("Python", async () => describePython(await resolvePython(python, signal))), limits()];
}

/** Looks at a cluster as a service that uses it does. What cannot be looked at without what failed is left out. */
export async function examineRay(
  connection: RayConnection & { rayGatewayPort: number },
  env: Variables,
  log: Log,
  signal: AbortSignal,
): Promise<Finding[]> {
  const dashboard = openDashboard(connection, log);
  const packages = new Packages({ dashboard });
  const { rayGatewayPort: port, rayPython: python } = connection;
  const gateway = new Gateway({ dashboard, packages, python, port, idleMs: gatewayIdleMs, log });
  const findings: Finding[] = [];
  const check = async (subject: string, look: () => Promise<Omit<Finding, "subject">>) => {
    const finding = await examine(subject, look);
    findings.push(finding);
    return finding.state !== "bad";
  };
  try {
    const goesOn =
      (await check("Ray", async () => describeRay((await dashboard.version(signal)).ray, dashboard.origin))) &&
      (await check("jobs", async () => good(`${(await dashboard.listJobs(signal)).length} known to the cluster`))) &&
      (await check("token", async () => good(tokenSource(connection, env)))) &&
      (await check("packages", async () => good(`the worker library is ${await packages.library(signal)}`)));
    if (goesOn) await check("gateway", () => describeGateway(gateway, signal));
  } finally {
    await gateway.close();
    await dashboard.close();
  }
  return findings;
}

async function examine(subject: string, look: () => Promise<Omit<Finding, "subject">>): Promise<Finding> {
  try {
    return { subject, ...(await look()) };
  } catch (error) {
    // Only this program's own errors say what to do.
    if (!(error instanceof PluginRunnerError)) throw error;
    return { subject, state: "bad", detail: error.message, reason: error.reason };
  }
}

function good(detail: string): Omit<Finding, "subject"> {
  return { state: "good", detail };
}

function describePython({ version, path }: { version: string; path: string }): Omit<Finding, "subject"> {
  return good(`${version} at ${path}`);
}

function limits(): Finding {
  const prlimit = findOnPath("prlimit");
  if (prlimit !== undefined) return { subject: "prlimit", state: "good", detail: prlimit };
  const hint = "Without it --worker-memory bounds only the JavaScript heap. Install util-linux.";
  return { subject: "prlimit", state: "poor", detail: "is not there", hint };
}

function describeRay(version: string, origin: string): Omit<Finding, "subject"> {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const old = major < oldestRay[0] || (major === oldestRay[0] && minor < oldestRay[1]);
  const detail = `${version} at ${origin}`;
  if (!old) return good(detail);
  return { state: "poor", detail, hint: `Ray before ${oldestRay.join(".")} was never tried. Use a newer one.` };
}

function tokenSource({ rayTokenFile }: RayConnection, env: Variables): string {
  if (rayTokenFile !== undefined) return `sent as ${rayTokenFile} has it, and accepted`;
  if (env.RAY_AUTH_TOKEN) return "sent as RAY_AUTH_TOKEN has it, and accepted";
  if (env.RAY_AUTH_TOKEN_PATH) return "sent as the file of RAY_AUTH_TOKEN_PATH has it, and accepted";
  return "none is set; the cluster takes what ~/.ray/auth_token has, or asks for none";
}

async function describeGateway(gateway: Gateway, signal: AbortSignal): Promise<Omit<Finding, "subject">> {
  const address = await gateway.find(signal);
  const health = await gateway.health(address);
  const { CPU: cpus = 0, GPU: gpus = 0, memory = 0 } = health?.resources ?? {};
  const has = `${cpus} CPUs, ${gpus} GPUs, ${(memory / 1024 ** 3).toFixed(1)} GiB`;
  const runs = `${health?.workers ?? 0} workers, ${health?.waiting ?? 0} runs waiting`;
  return good(
    `${address.jobId} at ${address.origin}, run by ${health?.python ?? "an unknown Python"}; ${runs}; the cluster has ${has}`,
  );
}
