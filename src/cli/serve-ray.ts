import { join } from "node:path";
import type { Environments } from "../engine/embedded/environment.ts";
import type { JobEngine, TaskPool } from "../engine/engine.ts";
import { ClusterHealth } from "../engine/ray/cluster-health.ts";
import { Gateway } from "../engine/ray/gateway.ts";
import { createRayJobEngine } from "../engine/ray/job-engine.ts";
import type { NodePackages } from "../engine/ray/job-submission.ts";
import { Packages } from "../engine/ray/packages.ts";
import { RayTaskPool } from "../engine/ray/task-pool.ts";
import type { WatchHub } from "../job/watch-hub.ts";
import type { Log } from "../util/log.ts";
import { passedVariables } from "../worker/worker-environment.ts";
import { openDashboard } from "./open-dashboard.ts";
import type { ServeOptions } from "./serve-options.ts";

/** How long a gateway stays that nobody uses. */
const gatewayIdleMs = 15 * 60_000;

/** What carries tasks and jobs, and what belongs to it. */
export interface Carriers {
  readonly tasks: TaskPool;
  readonly engine: JobEngine;
  /** Tells a listener of the modes that depend on a cluster when that goes away, and when it is there again. */
  onAvailability(listener: (modes: readonly string[], available: boolean) => void): void;
  /** Starts what the first task would wait for. */
  warm(signal: AbortSignal): Promise<void>;
  /** Ends what is left once the tasks and the engine are closed. */
  close(): Promise<void>;
}

/** The parts that hand tasks and jobs to a Ray cluster. */
export function composeRay(
  options: ServeOptions & { ray: string },
  env: Readonly<Record<string, string | undefined>>,
  log: Log,
  hub: WatchHub,
  { environments, dataDir }: { environments: Environments; dataDir: string },
): Carriers {
  const dashboard = openDashboard(options, log);
  const packages = new Packages({ dashboard });
  const python = options.rayPython;
  const gateway = new Gateway({
    dashboard,
    packages,
    python,
    port: options.rayGatewayPort,
    idleMs: gatewayIdleMs,
    log,
  });
  const passed = passedVariables(env, options.passEnv);
  const nodePackages: NodePackages = async (plugin, watcher, until) =>
    (await environments.prepare(plugin, watcher, until)).packages;
  const health = new ClusterHealth(dashboard, log);
  const engine = createRayJobEngine({
    dashboard,
    packages,
    health,
    nodePackages,
    python,
    leftoversFile: join(dataDir, "ray-leftovers.json"),
    env: passed,
    watched: (jobId) => hub.isWatched(jobId),
    graceMs: options.grace,
    loadTimeoutMs: options.loadTimeout,
    outputLimitBytes: options.jobOutputLimit,
    maxEvents: options.maxEventsPerJob,
    resultLimitBytes: options.maxResultSize,
    log,
  });
  const tasks = new RayTaskPool({
    gateway,
    packages,
    nodePackages,
    env: passed,
    maxWorkers: options.maxWorkers,
    maxQueued: options.maxQueuedRuns,
    idleMs: options.workerIdle,
    graceMs: options.grace,
    loadTimeoutMs: options.loadTimeout,
    keepArtifactsMs: options.runArtifacts,
  });
  return {
    tasks,
    engine,
    onAvailability: (listener) => health.onChange((available) => listener(["task", "job"], available)),
    async warm(signal) {
      await gateway.find(signal);
    },
    close: () => dashboard.close(),
  };
}
