import type { JsonObject } from "@bufbuild/protobuf";
import type { Resources } from "../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import type { PluginRunnerError } from "../errors.ts";
import type { LoadedAction } from "../plugin/plugin.ts";
import type { Carried } from "../util/non-finite.ts";
import type { WorkerResult } from "../worker/messages.ts";
import type { OutputLine } from "../worker/output-lines.ts";

export type { OutputLine } from "../worker/output-lines.ts";

/** One call of one action. `params` are validated already where `action.validator` could. */
export interface Task {
  action: LoadedAction;
  params: Carried<JsonObject>;
  env: Readonly<Record<string, string>>;
  jobId: string;
  /** Of the action and the request together. */
  resources?: Resources | undefined;
  /** Called with each line that the action writes, also with late ones once it has ended. Default: nobody reads them. */
  output?: (line: OutputLine) => void;
  /** Told what the task waits for, where it waits for long, and "" when it does no more. Default: nobody wants to know. */
  waiting?: (detail: string) => void;
}

/** Runs tasks on workers that are kept warm. */
export interface TaskPool {
  /**
   * Runs one task. An aborted signal tells the action to stop, ends its worker after a grace, and rejects with the
   * signal's reason. Rejects with OVERLOADED at once when too many wait.
   */
  run(task: Task, signal: AbortSignal): Promise<WorkerResult>;
  /**
   * Waits for what is under way until the signal aborts, then ends every worker: what had begun rejects with WORKER_LOST,
   * what had not with ENGINE_UNAVAILABLE.
   */
  close(signal: AbortSignal): Promise<void>;
}

/** Who waits for an environment that is built. */
export interface BuildWatcher {
  /** Told what is being done, now and then. */
  report?(detail: string): void;
  /** Told each line that the package manager writes, also those from before it came. */
  line?: ((line: string) => void) | undefined;
  /** Whether it wants the build no longer when it leaves. Default: the build goes on, since the next call will want it. */
  withdraws?: boolean;
}

export interface JobGiven {
  params: Carried<JsonObject>;
  env: Record<string, string>;
}

/** What an engine is told of a job when it starts it. */
export interface JobStart {
  jobId: string;
  /** Stands for the record of the job: see `own`. Default: empty. */
  record?: string;
  action: LoadedAction;
  /** Reads what the action is given, which may be large: asked last before the job starts. */
  given(): Promise<JobGiven>;
  timeoutMs: number | undefined;
  resources: Resources | undefined;
  /** Asked last before the job starts. Throws PLUGIN_CHANGED when the plugin's files are not those of its digest. */
  check?: () => Promise<void>;
  /** Called with each line that is written while the job's environment is built. */
  buildLine?: (line: string) => void;
}

/** What keeps an engine from its work now, and since when. */
export interface EngineTrouble {
  message: string;
  metadata: Readonly<Record<string, string>>;
  since: Date;
}

/** Carries jobs: who starts the process, and how its events file is followed. */
export interface JobEngine {
  readonly name: "embedded" | "ray";

  /** The id by which this engine knows a job, which its other methods take; always the same for the same two. */
  idOf(jobId: string, fingerprint: string): string;

  /**
   * Called first: what the engine has of jobs other than those that are known, by this engine's ids, belongs to nobody.
   * Undefined where not all are known.
   */
  open?(known: ReadonlySet<string> | undefined): Promise<void>;

  /**
   * Called before anything else of a job: what the engine has under its id and is not of this record, but of another
   * submission of that id or of a copied data directory, is never taken for it. `fresh` says that the job was just
   * submitted.
   */
  own?(id: string, record: string, fresh: boolean): Promise<void>;

  /** Throws ENGINE_UNAVAILABLE while it cannot start jobs. */
  ready?(): void;

  /** Why it cannot, where it cannot. */
  readonly trouble?: EngineTrouble | undefined;

  /** Throws REQUEST_INVALID for what this engine can never give. */
  check(resources: Resources): void;

  /**
   * Starts the process of a job that `load` tells of. Calling it again for the same id, also after a crash of this
   * service, never starts a second one: of a job that has started `load` is not asked. `report` is told what the job
   * waits for meanwhile. Rejects when `load` does, and with the signal's reason when it aborts before the process
   * started.
   */
  start(
    id: string,
    load: () => Promise<JobStart>,
    report: (detail: string) => void,
    signal: AbortSignal,
  ): Promise<void>;

  /** Gives up a job whose start failed, so that no process carries it later either. False when one does already. */
  giveUp(id: string): Promise<boolean>;

  /**
   * Follows the events file of a started job from a byte offset: yields what is appended, as it comes, in chunks that
   * need not end at a line's end. Ends when the process is gone and everything was yielded.
   */
  follow(id: string, offset: number, signal: AbortSignal): AsyncIterable<Uint8Array>;

  /**
   * Leaves nothing of a job alive, nor what it was given, once it has said its last word. It comes before the end is recorded:
   * nobody looks at a job that has ended.
   */
  tidy?(id: string): Promise<void>;

  /** Why a job ended whose process left no word; undefined when that is all that is known. */
  explain?(id: string): Promise<PluginRunnerError | undefined>;

  /** Tells the process to stop; it is killed after the grace. Returns once it was told. */
  stop(id: string): Promise<void>;

  /** Removes the files of a job whose process is gone. */
  remove(id: string): Promise<void>;

  /** Ends what serves jobs in this process; the jobs go on. */
  close(): Promise<void>;
}
