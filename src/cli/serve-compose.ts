import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { durationFromMs, timestampNow } from "@bufbuild/protobuf/wkt";
import { Language, type Plugin } from "../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import { type ServerLimits, ServerLimitsSchema } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { Environments } from "../engine/embedded/environment.ts";
import { lazyPython } from "../engine/embedded/environment-python.ts";
import { EmbeddedInspector } from "../engine/embedded/inspector.ts";
import { EmbeddedJobEngine } from "../engine/embedded/job-engine.ts";
import { PluginWorkers } from "../engine/embedded/plugin-workers.ts";
import { EmbeddedTaskPool } from "../engine/embedded/task-pool.ts";
import type { TaskPool } from "../engine/engine.ts";
import { LocalPool } from "../engine/local/local-pool.ts";
import { Admission } from "../grpc/admission.ts";
import { Health } from "../grpc/health.ts";
import { OpenCalls } from "../grpc/open-calls.ts";
import { pluginRunnerHandlers } from "../grpc/service.ts";
import { isDamaged } from "../job/store/data-loss.ts";
import type { JobStore } from "../job/store/job-store.ts";
import { openSqliteStore } from "../job/store/sqlite-store.ts";
import { WatchHub } from "../job/watch-hub.ts";
import { Catalog, type CatalogOptions } from "../plugin/catalog.ts";
import { Snapshots } from "../plugin/snapshots.ts";
import { Trees } from "../plugin/trees.ts";
import { RunOnce } from "../runner/run-once.ts";
import { Runner } from "../runner/runner.ts";
import { Storage } from "../runner/storage.ts";
import type { Log } from "../util/log.ts";
import { messageOf } from "../util/message-of.ts";
import { keepCompiledCodeWhole } from "../worker/compiled-code.ts";
import { Launcher } from "../worker/launcher.ts";
import { RunArtifacts } from "../worker/run-artifacts.ts";
import { passedVariables, workerEnvironment } from "../worker/worker-environment.ts";
import { prepareDataDir } from "./data-dir.ts";
import { isLoopback, readExposure } from "./serve-exposure.ts";
import { leave } from "./serve-leave.ts";
import { listen } from "./serve-listen.ts";
import type { ServeOptions } from "./serve-options.ts";
import type { Carriers } from "./serve-ray.ts";
import { UsageError } from "./usage-error.ts";

/** What comes of it where files of the data directory are removed or replaced. */
const lossOfData = "what is written to it is lost";
const lossOfLock = "another service could take the same data, and end what this one runs";

/** A server that listens. */
export interface RunningServer {
  readonly address: string;
  /** Where browsers are answered; undefined where they are not. */
  readonly httpAddress: string | undefined;
  readonly engine: string;
  readonly modes: readonly string[];
  /** Lists the plugins, starts a worker in reserve for each language among them, and Ray's gateway. */
  warmUp(): Promise<readonly Plugin[]>;
  /** Tells health checks and watchers that this server is going away; it still answers. */
  announceLeaving(): void;
  /** Ends it: calls under way have until the signal aborts, and jobs go on without it. */
  close(signal: AbortSignal): Promise<void>;
  /** Answers every call at once, before this process ends without waiting for anything. */
  answerAll(): void;
}

/** Puts the parts of the service together and listens: the only place that knows them all. */
export async function composeServer(
  options: ServeOptions,
  env: Readonly<Record<string, string | undefined>>,
  log: Log,
  signal: AbortSignal,
): Promise<RunningServer> {
  const exposure = readExposure(options);
  const dataDir = prepareDataDir(options.dataDir);
  const store = openStore(dataDir);
  const storage = new Storage({
    dir: dataDir,
    directories: ["work", "artifacts", "snapshots", ...(options.ray === undefined ? ["jobs"] : [])],
    files: { "jobs.sqlite": lossOfData, "jobs.sqlite-wal": lossOfData, "jobs.sqlite.lock": lossOfLock },
    reserve: options.diskReserve,
    log,
  });
  const python = lazyPython(options.python, signal);

  const passedEnv = passedVariables(env, options.passEnv);
  const artifacts = new RunArtifacts({ dir: join(dataDir, "artifacts"), keepMs: options.runArtifacts, log });
  const launcher = new Launcher({
    dir: dataDir,
    placeArtifacts: () => artifacts.place(),
    env: workerEnvironment(env, options.passEnv),
    memoryMib: options.workerMemory && Math.ceil(options.workerMemory / 1024 ** 2),
    graceMs: options.grace,
    loadTimeoutMs: options.loadTimeout,
    log,
  });
  keepCompiledCodeWhole(launcher.compiled, storage);
  const environments = new Environments({
    dir: join(dataDir, "environments"),
    python,
    buildTimeoutMs: options.buildTimeout,
    quotaBytes: options.environmentQuota,
    neededByJobs: () => runner.neededEnvironments,
    log,
  });
  // A cluster knows plugins by their digests: there, everything counts.
  const trees = new Trees({ ownWrites: options.ray === undefined });
  const workers = new PluginWorkers(launcher, environments, trees, passedEnv);
  const inspector = new EmbeddedInspector(launcher, python, workers, environments);
  const catalog = openCatalog({ roots: options.root, allowModules: options.allowModule, inspector, trees, log });
  const hub = new WatchHub();
  const { ray } = options;
  const parts = { launcher, environments, trees, workers, dataDir, artifacts, passedEnv, log };
  const carriers =
    ray === undefined ? composeEmbedded(options, parts) : await composeRay({ ...options, ray }, env, log, hub, parts);
  const runner = new Runner({
    catalog,
    inspector,
    snapshots: new Snapshots({
      dir: join(dataDir, "snapshots"),
      leftBehind: join(dataDir, "left-behind"),
      compiled: launcher.compiled,
      trees,
      log,
    }),
    local: localPool(options, parts),
    tasks: carriers.tasks,
    engine: carriers.engine,
    store,
    storage,
    hub,
    maxQueuedJobs: options.maxQueuedJobs,
    maxQueuedJobBytes: options.maxQueuedJobSize,
    maxEventsPerJob: options.maxEventsPerJob,
    maxResultBytes: options.maxResultSize,
    retentionMs: options.jobRetention,
    heartbeatMs: options.heartbeat,
    log,
  });
  await runner.open();
  environments.tidy();
  await storage.open();

  const once = new RunOnce({ dir: dataDir, keptMs: options.requestMemory });
  const endWork = async (until: AbortSignal) => {
    await Promise.all([runner.close(until), inspector.close(until), environments.close()]);
  };
  const end = async () => {
    catalog.close();
    storage.close();
    artifacts.close();
    await Promise.all([store.close(), launcher.close(), carriers.close(), once.close()]);
  };

  const leaving = new AbortController();
  const admission = new Admission({ token: exposure.token, maxCalls: options.maxCalls, log });
  const handlers = pluginRunnerHandlers({
    runner,
    once,
    limits: serverLimits(options),
    startTime: timestampNow(),
    leaving: leaving.signal,
  });
  const openCalls = new OpenCalls();
  const health = new Health(runner.modes);
  carriers.onAvailability((modes, available) => health.setAvailable(modes, available, "engine"));
  storage.onChange((available) => health.setAvailable(["job"], available, "storage"));
  const servers = await listen(options, { handlers, admission, openCalls, health, log, ...exposure }).catch(
    async (error: unknown) => {
      await endWork(AbortSignal.abort());
      await end();
      throw error;
    },
  );

  return {
    address: servers.grpc.address,
    httpAddress: servers.http?.address,
    engine: runner.engineName,
    modes: runner.modes,
    async warmUp() {
      const warn = (error: unknown) => {
        if (!signal.aborted) log("warn", "Python plugins cannot run", { error });
      };
      carriers.warm(signal).catch((error: unknown) => {
        if (!signal.aborted) log("warn", "tasks cannot run on Ray yet", { error });
      });
      const plugins = await catalog.list(signal);
      const uses = (language: Language) => plugins.some((plugin) => plugin.language === language);
      if (uses(Language.JAVASCRIPT)) launcher.warm("javascript", "");
      if (uses(Language.PYTHON)) await python().then((path) => launcher.warm("python", path), warn);
      return plugins;
    },
    announceLeaving() {
      health.announceLeaving();
      leaving.abort();
    },
    async close(until) {
      const closePorts = async (cut: AbortSignal) => {
        await Promise.all([servers.grpc.close(cut), servers.http?.close(cut)]);
      };
      await leave({ closePorts, endWork, openCalls }, until);
      await end();
    },
    answerAll: () => openCalls.end(),
  };
}

interface Parts {
  launcher: Launcher;
  environments: Environments;
  trees: Trees;
  workers: PluginWorkers;
  dataDir: string;
  artifacts: RunArtifacts;
  passedEnv: Readonly<Record<string, string>>;
  log: Log;
}

/** What carries tasks and jobs on this machine alone. */
function composeEmbedded(options: ServeOptions, parts: Parts): Carriers {
  const { launcher, environments, workers, dataDir, passedEnv, log } = parts;
  return {
    tasks: new EmbeddedTaskPool(workers, {
      maxWorkers: options.maxWorkers,
      maxWorkersPerKey: options.maxWorkers,
      depth: 1,
      maxQueued: options.maxQueuedRuns,
      idleMs: options.workerIdle,
    }),
    engine: new EmbeddedJobEngine({
      dir: join(dataDir, "jobs"),
      aside: join(dataDir, "set-aside"),
      launcher,
      passedEnv,
      environments,
      maxRunning: options.maxRunningJobs,
      graceMs: options.grace,
      loadTimeoutMs: options.loadTimeout,
      outputLimitBytes: options.jobOutputLimit,
      maxEvents: options.maxEventsPerJob,
      resultLimitBytes: options.maxResultSize,
      log,
    }),
    onAvailability() {},
    async warm() {},
    async close() {},
  };
}

/** What hands them to a cluster. Its code, and the HTTP client's, is a tenth of the start of a service that needs none. */
async function composeRay(...given: Parameters<typeof import("./serve-ray.ts").composeRay>): Promise<Carriers> {
  return (await import("./serve-ray.ts")).composeRay(...given);
}

function localPool(options: ServeOptions, { dataDir, ...parts }: Parts): TaskPool | undefined {
  const where = options.local ?? (isLoopback(options.listen) ? "in-process" : "worker");
  if (where === "off") return undefined;
  return new LocalPool({
    ...parts,
    dir: dataDir,
    inProcess: where === "in-process",
    loadTimeoutMs: options.loadTimeout,
    maxQueued: options.maxQueuedRuns,
    idleMs: options.workerIdle,
  });
}

function serverLimits(options: ServeOptions): ServerLimits {
  return create(ServerLimitsSchema, {
    maxRequestBytes: options.maxRequestSize,
    maxResultBytes: options.maxResultSize,
    maxWorkers: options.maxWorkers,
    maxQueuedRuns: options.maxQueuedRuns,
    maxRunningJobs: options.maxRunningJobs,
    maxQueuedJobs: options.maxQueuedJobs,
    jobRetention: durationFromMs(options.jobRetention),
  });
}

function openCatalog(options: CatalogOptions): Catalog {
  try {
    return new Catalog(options);
  } catch (error) {
    throw new UsageError(`--root cannot be used: ${messageOf(error)}`);
  }
}

function openStore(dataDir: string): JobStore {
  try {
    return openSqliteStore(join(dataDir, "jobs.sqlite"));
  } catch (error) {
    const remedy = isDamaged(error)
      ? `. Its database is damaged: \`plugin-runner doctor --data-dir ${dataDir} --repair\` saves what can be read and sets the rest aside`
      : "";
    throw new UsageError(`--data-dir ${dataDir} cannot be used: ${messageOf(error)}${remedy}`);
  }
}
