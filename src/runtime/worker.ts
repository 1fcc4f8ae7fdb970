/**
 * A worker: `node worker.ts` with a duplex stream as file descriptor 3. It loads the plugin that it is bound to and
 * answers requests one after another, as docs/protocol.md says.
 */
import { once } from "node:events";
import { Socket } from "node:net";
import { StringDecoder } from "node:string_decoder";
import { PluginRunnerError, toErrorRecord } from "../errors.ts";
import { jsonText } from "../util/json-text.ts";
import { killScope } from "../util/kill-scope.ts";
import { messageOf } from "../util/message-of.ts";
import { type Carried, withNumbers } from "../util/non-finite.ts";
import { toPlainJson } from "../util/plain-json.ts";
import type {
  Binding,
  DescribedAction,
  DescribeRequest,
  RunRequest,
  ValidateRequest,
  WorkerAnswer,
  WorkerInput,
  WorkerOutput,
  WorkerRequest,
} from "../worker/messages.ts";
import { asWritten } from "./as-written.ts";
import { CodeRun } from "./code-run.ts";
import { describeActions } from "./describe-actions.ts";
import { pointersOf } from "./encode.ts";
import { LeftPrograms } from "./left-programs.ts";
import { type ActionCode, loadAction } from "./load-action.ts";
import { loadingWithin, neverLoads } from "./load-limit.ts";
import { shareModules } from "./module-hooks.ts";
import { volunteerForOutOfMemory } from "./oom-score.ts";
import { actionFailed, describeThrown } from "./plugin-failure.ts";
import { ProcessState } from "./process-state.ts";
import { protocolVersion } from "./protocol.ts";
import { runAction } from "./run-action.ts";
import { RunDirectory } from "./run-directory.ts";
import { guardProcess, neverSettles } from "./run-guard.ts";
import { stderrSink } from "./stderr-sink.ts";

type Pending = WorkerRequest & { id: number };

const exit = process.exit.bind(process);
const service = new Socket({ fd: 3 });
const queue: Pending[] = [];
const cancellations = new Map<number, AbortController>();
const loaded = new Map<string, Promise<ActionCode>>();
let binding: Binding | undefined;
/** Why nothing of the binding can be run. */
/** Before a plugin can change it. */
const scope = process.env.PLUGIN_RUNNER_SCOPE ?? "";
let fault: PluginRunnerError | undefined;
let state: ProcessState | undefined;
let workDir = "";
let artifacts = "";
/** How long loading code may take. */
let loadSeconds: number | undefined;
/** What is said where the code that is being loaded never is. */
let never: PluginRunnerError | undefined;
let busy = false;
let spoiled = false;
let current: CodeRun | undefined;
const left = new LeftPrograms(scope);

process.on("beforeExit", giveUp);
guardProcess({ unowned, ends: ["exit"], pluginOf: () => "" });
volunteerForOutOfMemory();
service.on("data", lines(receive));
service.on("close", leave);
service.on("error", leave);
void send({ type: "ready", protocol: protocolVersion, pid: process.pid, runtime: `node ${process.version.slice(1)}` });

/** The service is gone, and nobody else ends what the plugin started. */
function leave(): void {
  killScope("PLUGIN_RUNNER_SCOPE", scope);
  exit(0);
}

function receive(line: string): void {
  const input: WorkerInput = JSON.parse(line);
  if (input.type === "bind") {
    binding = input.binding;
    workDir = input.work_dir;
    artifacts = input.artifacts_dir ?? "";
    loadSeconds = input.load_timeout_seconds;
    Object.assign(process.env, binding.env);
    shareModules(binding);
    fault = enter(binding.root);
    spoiled = fault !== undefined; // the directory may come back, for another process
    state = new ProcessState();
  } else if (input.type === "cancel") {
    cancellations.get(input.id)?.abort();
  } else {
    cancellations.set(input.id, new AbortController());
    queue.push(input);
    if (!busy) void serve();
  }
}

function enter(root: string): PluginRunnerError | undefined {
  try {
    process.chdir(root);
    return undefined;
  } catch (error) {
    const message = `The plugin's directory cannot be opened: ${messageOf(error)}`;
    return new PluginRunnerError("PLUGIN_INVALID", message, { metadata: { root } });
  }
}

async function serve(): Promise<void> {
  busy = true;
  for (let request = queue.shift(); request !== undefined; request = queue.shift()) {
    const answered = await answer(request);
    spoiled ||= left.any; // programs that a call left end with this worker, and what the plugin remembers of them, too
    await send(spoiled ? { ...answered, spent: true } : answered);
    if (spoiled) return; // what is still in the queue goes to another worker, and the service ends this one
  }
  busy = false;
}

async function answer(request: Pending): Promise<WorkerAnswer> {
  const { id } = request;
  const signal = cancellations.get(id)?.signal ?? AbortSignal.abort();
  const directory = new RunDirectory(`${workDir}/${id}`, artifacts === "" ? "" : `${artifacts}-${id}`);
  service.unref(); // so that a run ends that nothing is left to wake
  try {
    state?.lay("env" in request ? (request.env ?? {}) : {});
    const answer = await handle(request, directory, signal);
    return { id, ok: true, value: answer.value, ...pointersOf(answer) };
  } catch (thrown) {
    const error = PluginRunnerError.from(thrown);
    if (error.cause !== undefined) process.stderr.write(`${describeThrown(error.cause).stack}\n`);
    const record = toErrorRecord(error);
    return { id, ok: false, error: binding === undefined ? record : asWritten(record, binding) };
  } finally {
    service.ref();
    never = undefined;
    cancellations.delete(id);
    state?.putBack();
    if (directory.made) await directory.remove().catch(() => {}); // what is left goes with the worker
  }
}

async function handle(request: WorkerRequest, directory: RunDirectory, signal: AbortSignal): Promise<Carried> {
  const bound = bindingFor(request);
  switch (request.type) {
    case "describe":
      return carried(await guarded("describe", () => describe(bound, request)));
    case "validate": // the service has validated: a schema is all that a JavaScript action says of its params
      await guarded("validate", () => load(bound, request));
      return { value: request.params, nonFinite: request.non_finite ?? [] };
    case "run":
      return guarded(request.action, () => run(bound, request, directory, signal));
    default:
      throw new PluginRunnerError("INTERNAL", `A JavaScript worker does not answer ${request.type}.`);
  }
}

async function guarded<T>(action: string, body: () => Promise<T>): Promise<T> {
  const own = new CodeRun(action);
  current = own;
  try {
    return await own.during(body);
  } finally {
    current = undefined;
    own.end();
    process.exitCode = undefined;
  }
}

/** Nobody knows what it has left undone: the run that is under way goes on, and then the service ends this worker. */
function unowned(thrown: unknown): void {
  spoiled = true;
  process.stderr.write(`Outside of every run: ${actionFailed("?", thrown).pluginStack}\n`);
}

/** Nothing is left that could wake what the request waits for. */
function giveUp(): void {
  if (never !== undefined) spoiled = true; // no other request could load it here
  current?.fail(never ?? neverSettles(current.action));
}

/** From here until the answer, or `loaded`, the service watches the time. */
function beginLoading(bound: Binding, entrypoints: readonly string[]): void {
  never = neverLoads(bound, entrypoints);
  if (loadSeconds !== undefined) tell(loadingWithin(bound, entrypoints, loadSeconds));
}

function loadingEnded(): void {
  never = undefined;
  if (loadSeconds !== undefined) tell({ type: "within" });
}

/** Has left when this returns, unless the service reads nothing. */
function tell(message: WorkerOutput): void {
  service.write(`${jsonText(message)}\n`);
}

/** Each schema is held to the limits of clients for itself. */
function carried(described: readonly DescribedAction[]): Carried {
  return toPlainJson(described, { levels: Number.POSITIVE_INFINITY });
}

async function describe(
  bound: Binding,
  { entrypoints, env = {} }: DescribeRequest,
): Promise<readonly DescribedAction[]> {
  const named = Object.values(entrypoints);
  beginLoading(bound, named.length === 0 ? [bound.module] : named);
  const described = await unlessSpoiled(describeActions(bound, entrypoints));
  spoiled ||= described.some(({ error }) => error?.reason === "PLUGIN_INVALID");
  state?.keep(env);
  left.keep();
  return described;
}

/** Node keeps what a module threw when it was loaded: only a new process can load it in another environment. */
async function unlessSpoiled<T>(loading: Promise<T>): Promise<T> {
  try {
    return await loading;
  } catch (error) {
    spoiled ||= error instanceof PluginRunnerError && error.reason === "PLUGIN_INVALID";
    throw error;
  }
}

async function run(
  bound: Binding,
  request: RunRequest,
  directory: RunDirectory,
  signal: AbortSignal,
): Promise<Carried> {
  const { action, job_id: jobId, non_finite: nonFinite = [] } = request;
  const params = withNumbers(request.params, nonFinite);
  const code = await load(bound, request);
  if (signal.aborted) throw new PluginRunnerError("CANCELLED", `Action ${action} was cancelled before it began.`);
  const env = { ...bound.env, ...request.env };
  return runAction(code, { action, params, env, jobId, directory, sink: stderrSink, signal });
}

/** A worker has one binding, so an entry point is loaded once; a failed load is tried again. */
function load(bound: Binding, { entrypoint, env }: RunRequest | ValidateRequest): Promise<ActionCode> {
  const known = loaded.get(entrypoint);
  if (known !== undefined) return known;
  beginLoading(bound, [entrypoint]);
  const loading = unlessSpoiled(loadAction(bound, entrypoint)).then((code) => {
    loadingEnded();
    state?.keep(env);
    left.keep(); // what the plugin sets up when it is loaded stays
    return code;
  });
  loaded.set(entrypoint, loading);
  loading.catch(() => loaded.delete(entrypoint));
  return loading;
}

function bindingFor(request: WorkerRequest): Binding {
  if (fault !== undefined) throw fault;
  if (binding !== undefined) return binding;
  throw new PluginRunnerError("INTERNAL", `A worker was sent ${request.type} before it was bound.`);
}

/** Waits until the message has left: a plugin that blocks the event loop next must not hold it back. */
async function send(message: WorkerOutput): Promise<void> {
  if (!service.write(`${jsonText(message)}\n`)) await once(service, "drain");
}

/** Cuts what arrives into lines. */
function lines(take: (line: string) => void): (chunk: Buffer) => void {
  const decoder = new StringDecoder("utf8");
  let held: string[] = [];
  return (chunk) => {
    const parts = decoder.write(chunk).split("\n");
    held.push(parts[0] ?? "");
    for (const part of parts.slice(1)) {
      take(held.join(""));
      held = [part];
    }
  };
}
