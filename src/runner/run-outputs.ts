import { setTimeout as delay, setImmediate as turn } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type JobEvent, JobEventSchema, JobLogSchema, LogSource } from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import type { OutputLine } from "../engine/engine.ts";
import { PluginRunnerError } from "../errors.ts";
import type { Log } from "../util/log.ts";

/** A watch may come before its run: it waits this long for it. */
const defaultArrivalMs = 10_000;
/** Of one run the service's log gets no more lines. */
const maxLoggedLines = 1000;
/** A watcher that takes its lines more slowly than they come loses the oldest beyond this number, and is told. */
const maxHeldLines = 10_000;
/** The last lines of a worker come by other pipes than its answer: a few turns of the event loop bring them in. */
const turnsAfterEnd = 4;

interface Watcher {
  lines: OutputLine[];
  lost: number;
  wake: () => void;
}

interface Channel {
  runs: number;
  /** Whether a run came at all. */
  begun: boolean;
  /** Whether one was refused instead. */
  refused: boolean;
  /** Made with the first: most runs are watched by nobody. */
  watchers: Set<Watcher> | undefined;
}

/** Where the lines of one run go, until `close`. */
export interface RunOutput {
  readonly write: (line: OutputLine) => void;
  close(): void;
}

/** Takes what the actions of runs write, to the service's log and to those who watch a run by its `request_id`. */
export class RunOutputs {
  readonly #log: Log;
  readonly #arrivalMs: number;
  readonly #channels = new Map<string, Channel>();

  /** @param arrivalMs how long a watch waits for its run, in milliseconds. Default: 10 s */
  constructor(log: Log, arrivalMs = defaultArrivalMs) {
    this.#log = log;
    this.#arrivalMs = arrivalMs;
  }

  /** Opens the output of one run. `requestId` is empty for a run that nobody can name. */
  open(requestId: string, plugin: string, action: string): RunOutput {
    let logged = 0;
    const channel = requestId === "" ? undefined : this.#channel(requestId);
    if (channel) {
      channel.runs++;
      channel.begun = true;
      wakeAll(channel);
    }
    return {
      write: (line) => {
        if (++logged <= maxLoggedLines) this.#log("info", "output of a run", { plugin, action, ...fieldsOf(line) });
        for (const watcher of channel?.watchers ?? []) hand(watcher, line);
      },
      close: () => {
        const left = logged - maxLoggedLines;
        if (left > 0) this.#log("info", "output of a run was left out", { plugin, action, lines: left });
        if (!channel) return;
        channel.runs--;
        wakeAll(channel);
        this.#forget(requestId, channel);
      },
    };
  }

  /** Tells those who wait for a run that it was refused before it began: it does not come. */
  refuse(requestId: string): void {
    const channel = this.#channels.get(requestId);
    if (!channel || channel.begun) return;
    channel.refused = true;
    wakeAll(channel);
  }

  /**
   * Yields what a run writes from now on, as events that are numbered from 1; an empty list when nothing came for
   * `heartbeatMs`. Ends with the run. Throws RUN_NOT_FOUND when none comes or it is refused, and the signal's reason when
   * it aborts. Once `leaving` aborts, nobody waits for a run that has not come.
   */
  async *watch(
    requestId: string,
    heartbeatMs: number,
    signal: AbortSignal,
    leaving?: AbortSignal,
  ): AsyncGenerator<JobEvent[], void, undefined> {
    const channel = this.#channel(requestId);
    const watcher: Watcher = { lines: [], lost: 0, wake: () => {} };
    const deadline = performance.now() + this.#arrivalMs;
    let sequence = 0n;
    channel.watchers ??= new Set();
    channel.watchers.add(watcher);
    const leave = () => watcher.wake();
    leaving?.addEventListener("abort", leave, { once: true });
    try {
      while (!channel.begun || channel.runs > 0) {
        const left = channel.begun ? heartbeatMs : Math.min(heartbeatMs, deadline - performance.now());
        const isVain = channel.refused || leaving?.aborted === true;
        if (left <= 0 || (isVain && !channel.begun)) throw notFound(requestId);
        if (watcher.lines.length === 0) await woken(watcher, left, signal);
        if (channel.begun || watcher.lines.length > 0) yield take(watcher, () => ++sequence);
      }
      for (let index = 0; index < turnsAfterEnd; index++) await turn();
      if (watcher.lines.length > 0 || watcher.lost > 0) yield take(watcher, () => ++sequence);
    } finally {
      leaving?.removeEventListener("abort", leave);
      channel.watchers?.delete(watcher);
      this.#forget(requestId, channel);
    }
  }

  #channel(requestId: string): Channel {
    const known = this.#channels.get(requestId);
    if (known) return known;
    const channel: Channel = { runs: 0, begun: false, refused: false, watchers: undefined };
    this.#channels.set(requestId, channel);
    return channel;
  }

  #forget(requestId: string, channel: Channel): void {
    const used = channel.runs > 0 || (channel.watchers?.size ?? 0) > 0;
    if (!used && this.#channels.get(requestId) === channel) this.#channels.delete(requestId);
  }
}

function hand(watcher: Watcher, line: OutputLine): void {
  watcher.lines.push(line);
  if (watcher.lines.length > maxHeldLines) {
    watcher.lines.shift();
    watcher.lost++;
  }
  watcher.wake();
}

function wakeAll(channel: Channel): void {
  for (const watcher of channel.watchers ?? []) watcher.wake();
}

/** Resolves when there is something to look at, or after `ms`. Rejects with the signal's reason. */
async function woken(watcher: Watcher, ms: number, signal: AbortSignal): Promise<void> {
  const woke = Promise.withResolvers<void>();
  watcher.wake = woke.resolve;
  const pause = new AbortController();
  try {
    const quiet = delay(ms, undefined, { signal: AbortSignal.any([signal, pause.signal]) });
    await Promise.race([quiet.catch(() => {}), woke.promise]);
  } finally {
    pause.abort();
    watcher.wake = () => {};
  }
  signal.throwIfAborted();
}

function take(watcher: Watcher, next: () => bigint): JobEvent[] {
  const lines = watcher.lines.splice(0);
  const lost = watcher.lost;
  watcher.lost = 0;
  const all = lost === 0 ? lines : [lostLines(lost), ...lines];
  return all.map((line) => toEvent(line, next()));
}

function toEvent({ timeMs, source, level, message, fields }: OutputLine, sequence: bigint): JobEvent {
  const log = create(JobLogSchema, { source: LogSource[source], level, message, ...(fields && { fields }) });
  return create(JobEventSchema, {
    sequence,
    eventTime: timestampFromMs(timeMs),
    payload: { case: "log", value: log },
  });
}

function lostLines(count: number): OutputLine {
  const message = `${count} lines were left out: they came faster than they were taken.`;
  return { timeMs: Date.now(), source: "SERVICE", level: "WARNING", message };
}

function fieldsOf({ source, level, message, fields }: OutputLine): Record<string, unknown> {
  return {
    source: source.toLowerCase(),
    ...(level !== "" && { log_level: level }),
    text: message,
    ...(fields && { fields }),
  };
}

function notFound(requestId: string): PluginRunnerError {
  return new PluginRunnerError("RUN_NOT_FOUND", `No run with the request id ${requestId} came.`, {
    metadata: { request_id: requestId },
  });
}
