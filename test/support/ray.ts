import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { request } from "undici";
import { killByEnvironment, killGroup } from "../../src/util/process.ts";
import { patienceMs } from "./limits.ts";
import { type PortBlock, takePorts } from "./port-block.ts";
import { rayBin } from "./ray-environment.ts";

/** Marks every process of one cluster: drivers of jobs leave its process group. */
const mark = "RAY_TEST_CLUSTER";
/** The parts of Ray can miss each other on a machine that has other work. */
const maxStarts = 3;
/** Ten times what a start takes on an idle machine: where the parts miss each other, the next start is soon. */
const startMs = 120_000;
const startSeconds = String(startMs / 1000);
/** Ray's own limits of how long one part of it waits for another. */
const limits = {
  RAY_agent_register_timeout_ms: String(startMs),
  RAY_gcs_server_port_wait_time_s: startSeconds,
  RAY_gcs_rpc_server_connect_timeout_s: startSeconds,
  RAY_worker_register_timeout_seconds: startSeconds,
  RAY_DASHBOARD_STARTUP_TIMEOUT_S: startSeconds,
  RAY_health_check_timeout_ms: String(patienceMs),
};

/** `ray`, which otherwise ends when its node is not known after half a minute, and has no setting for that. */
const patientRay = `
import sys, time
from ray._private import services
from ray.scripts.scripts import main
get_node = services.get_node
def wait_for_node(*args):
    end = time.monotonic() + ${startSeconds}
    while True:
        try:
            return get_node(*args)
        except RuntimeError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
services.get_node = wait_for_node
sys.argv[0] = "ray"
main()
`;

/** A cluster of one node on this machine. Disposing it ends all its processes and removes its files. */
export interface TestRay extends AsyncDisposable {
  /** Of the dashboard: `http://127.0.0.1:port`. */
  readonly address: string;
  /** What the cluster asks every request for; undefined when it asks for none. */
  readonly token: string | undefined;
  /** The folder of `python` and `ray`. */
  readonly bin: string;
  /** The environment of its processes, for a driver of a test's own. */
  readonly env: Readonly<Record<string, string>>;
  /** `host:port` for `ray.init(address=…)`. */
  readonly gcsAddress: string;
  /** Its session's folder. */
  session(): string;
  /** Ends all its processes at once, as a machine that loses power. */
  kill(): Promise<void>;
  /** Starts it again after `kill`, with the same addresses, and waits until its node is there. */
  start(): Promise<void>;
}

export interface TestRayOptions {
  /** Whether requests need a token. Default: false. */
  token?: boolean;
  /** Whether its environment is activated: its programs are first on PATH. Default: true. */
  onPath?: boolean;
  /** Default: 4, however many the machine has. */
  cpus?: number;
}

export async function startRay(options: TestRayOptions = {}): Promise<TestRay> {
  const cluster = new Cluster(options, await takePorts(8));
  await cluster.start();
  return cluster;
}

class Cluster implements TestRay {
  readonly address: string;
  readonly gcsAddress: string;
  readonly token: string | undefined;
  readonly bin = rayBin();
  readonly env: Readonly<Record<string, string>>;
  readonly #id = randomUUID();
  /** Short: sockets are made some levels below it, and their paths have about 100 characters. */
  readonly #dir = mkdtempSync("/tmp/pr-");
  readonly #args: readonly string[];
  readonly #ports: PortBlock;
  #head: ChildProcess | undefined;
  #output = "";

  constructor({ token = false, onPath = true, cpus = 4 }: TestRayOptions, block: PortBlock) {
    this.#ports = block;
    const [gcs, dashboard, client, agent, agentGrpc, environments, metrics, manager] = block.ports;
    this.address = `http://127.0.0.1:${dashboard}`;
    this.gcsAddress = `127.0.0.1:${gcs}`;
    this.token = token ? randomUUID().replaceAll("-", "") : undefined;
    this.env = {
      ...definedOnly(process.env),
      PATH: `${onPath ? `${this.bin}${delimiter}` : ""}${process.env.PATH}`,
      ...limits,
      RAY_AUTH_MODE: token ? "token" : "disabled",
      ...(this.token !== undefined && { RAY_AUTH_TOKEN: this.token }),
      [mark]: this.#id,
      NODE_SECRET: "not for plugins",
    };
    this.#args = [
      ...["start", "--head", "--block", "--disable-usage-stats", "--temp-dir", this.#dir],
      ...["--num-cpus", String(cpus), "--object-store-memory", String(100 * 1024 ** 2)],
      ...["--node-ip-address", "127.0.0.1", "--port", String(gcs)],
      ...["--dashboard-host", "127.0.0.1", "--dashboard-port", String(dashboard)],
      ...["--ray-client-server-port", String(client), "--node-manager-port", String(manager)],
      ...["--dashboard-agent-listen-port", String(agent), "--dashboard-agent-grpc-port", String(agentGrpc)],
      ...["--runtime-env-agent-port", String(environments), "--metrics-export-port", String(metrics)],
      ...["--min-worker-port", "0", "--max-worker-port", "0"],
    ];
  }

  async start(): Promise<void> {
    this.#output = "";
    for (let starts = 1; !(await this.#startOnce()); starts++) {
      await this.kill();
      if (starts < maxStarts) continue;
      await this[Symbol.asyncDispose]();
      throw new Error(`Ray did not start:\n${this.#output}`);
    }
  }

  /** Whether its node is there; false when its processes end before that, or it takes too long. */
  async #startOnce(): Promise<boolean> {
    const head = spawn(join(this.bin, "python"), ["-c", patientRay, ...this.#args], {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: this.env,
    });
    this.#head = head;
    for (const stream of [head.stdout, head.stderr]) stream.on("data", (chunk) => this.#hear(String(chunk)));
    const end = performance.now() + startMs;
    while (!(await this.#answers())) {
      if (head.exitCode !== null || head.signalCode !== null || performance.now() > end) return false;
      await delay(200);
    }
    return true;
  }

  session(): string {
    return realpathSync(join(this.#dir, "session_latest"));
  }

  async kill(): Promise<void> {
    const head = this.#head;
    this.#head = undefined;
    if (head?.pid !== undefined) {
      const gone = head.exitCode !== null || head.signalCode !== null ? undefined : once(head, "exit");
      killGroup(head.pid, "SIGKILL");
      await gone;
    }
    while (killByEnvironment(mark, this.#id) > 0) await delay(50);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.#ports[Symbol.asyncDispose]();
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 5 });
  }

  #hear(text: string): void {
    this.#output = (this.#output + text).slice(-10_000);
  }

  async #answers(): Promise<boolean> {
    const headers = this.token === undefined ? {} : { authorization: `Bearer ${this.token}` };
    const signal = AbortSignal.timeout(patienceMs / 10);
    try {
      const { statusCode, body } = await request(`${this.address}/nodes?view=summary`, { headers, signal });
      return (await body.text()).includes('"state": "ALIVE"') && statusCode === 200;
    } catch {
      return false;
    }
  }
}

function definedOnly(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
