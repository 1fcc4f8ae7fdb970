import { setTimeout as delay } from "node:timers/promises";
import type { JsonObject } from "@bufbuild/protobuf";
import { Agent, type Dispatcher, errors } from "undici";
import { hasCode } from "../../util/has-code.ts";
import type { Log } from "../../util/log.ts";
import { rarely } from "../../util/rarely.ts";
import {
  type RayJob,
  type RayVersion,
  readJob,
  readJobs,
  readNodes,
  readSubmitted,
  readVersion,
} from "./dashboard-answers.ts";
import { DashboardError, type DashboardFault, faultOf, isMissingFile } from "./dashboard-error.ts";
import { type GivenToken, rayToken } from "./ray-auth.ts";

/** See `rayToken` for where the token comes from when none is given. */
export interface DashboardOptions extends GivenToken {
  /** Where the dashboard is: `http://head:8265`. Only its origin counts: nothing else is ever asked or told the token. */
  address: string;
  /** Certificate authorities for https, PEM. Default: those of the system. */
  ca?: string | undefined;
  log: Log;
  /** How long a call may take in all, in milliseconds. Uploads and submissions may take three times as long. */
  timeoutMs?: number;
}

/** A job for the cluster. Its id is the caller's: the same id is never started twice. */
export interface Submission {
  submissionId: string;
  entrypoint: string;
  runtimeEnv: JsonObject;
  /** Shown in Ray's own pages. */
  metadata: Readonly<Record<string, string>>;
  cpus?: number | undefined;
  gpus?: number | undefined;
  memoryBytes?: number | undefined;
  resources?: Readonly<Record<string, number>> | undefined;
}

/** A file in the log folder of a node. */
export interface LogFile {
  nodeId: string;
  filename: string;
}

const defaultTimeoutMs = 10_000;
const maxJsonBytes = 64 * 1024 * 1024;
const maxErrorBytes = 64 * 1024;
const streamIntervalSeconds = 0.05;
const retryPauseMs = 100;
const logType = "text/plain";
/** So many characters of what a dashboard says tell one fault from another. */
const kindLength = 200;

interface Call {
  method: "GET" | "PUT" | "POST" | "DELETE";
  path: string;
  /** For messages and logs. */
  name: string;
  query?: Record<string, string>;
  /** The media type that an answer has to have; a page of a proxy has another one. Default: any. */
  type?: string;
  body?: string | Uint8Array;
  /** Whether it may be sent again when its connection broke. */
  repeatable: boolean;
  timeoutMs: number;
}

/**
 * The REST interface of a Ray cluster. Every call ends within its time limit, and all but those that say otherwise
 * reject with a `DashboardError` for whatever is not the answer that was asked for.
 */
export class Dashboard {
  /** For example `http://head:8265`. */
  readonly origin: string;
  readonly #agent: Agent;
  readonly #token: GivenToken;
  readonly #log: Log;
  /** For what every follower of a job meets at the same time, and again and again, while a cluster or its proxy is unwell. */
  readonly #tellRarely: ReturnType<typeof rarely>;
  readonly #timeoutMs: number;

  constructor({ address, token, tokenFile, ca, log, timeoutMs = defaultTimeoutMs }: DashboardOptions) {
    this.origin = new URL(address).origin;
    this.#token = { token, tokenFile };
    this.#log = log;
    this.#tellRarely = rarely(log);
    this.#timeoutMs = timeoutMs;
    // Time limits are for whole calls: undici's own start anew with every byte.
    const limits = { headersTimeout: 0, bodyTimeout: 0 };
    this.#agent = new Agent({ ...limits, connect: { timeout: timeoutMs, ...(ca !== undefined && { ca }) } });
  }

  /** What the cluster runs. */
  version(signal?: AbortSignal): Promise<RayVersion> {
    return this.#json(this.#get("/api/version", "version"), readVersion, signal);
  }

  /** Starts a job. Rejects with `exists` when one with this id was submitted before. */
  async submitJob(submission: Submission, signal?: AbortSignal): Promise<void> {
    const { submissionId, entrypoint, runtimeEnv, metadata, cpus, gpus, memoryBytes, resources } = submission;
    const body = JSON.stringify({
      submission_id: submissionId,
      entrypoint,
      runtime_env: runtimeEnv,
      metadata,
      ...(cpus !== undefined && { entrypoint_num_cpus: cpus }),
      ...(gpus !== undefined && { entrypoint_num_gpus: gpus }),
      ...(memoryBytes !== undefined && { entrypoint_memory: memoryBytes }),
      ...(resources && Object.keys(resources).length > 0 && { entrypoint_resources: resources }),
    });
    const call: Call = {
      method: "POST",
      path: "/api/jobs/",
      name: "submit",
      body,
      repeatable: false,
      timeoutMs: 3 * this.#timeoutMs,
    };
    await this.#json(call, readSubmitted, signal);
  }

  /** The job of this submission id; undefined when the cluster knows none. */
  async getJob(submissionId: string, signal?: AbortSignal): Promise<RayJob | undefined> {
    const call = this.#get(`/api/jobs/${encodeURIComponent(submissionId)}`, "get job");
    return orUndefined(this.#json(call, readJob, signal));
  }

  /** All jobs that were submitted and not deleted. */
  listJobs(signal?: AbortSignal): Promise<RayJob[]> {
    return this.#json(this.#get("/api/jobs/", "list jobs"), readJobs, signal);
  }

  /** The nodes that are there: see `readNodes`. */
  nodes(signal?: AbortSignal): Promise<Map<string, string>> {
    return this.#json({ ...this.#get("/nodes", "list nodes"), query: { view: "summary" } }, readNodes, signal);
  }

  /** Tells a job to stop: SIGTERM, a grace, SIGKILL. False when the cluster knows no such job. */
  async stopJob(submissionId: string, signal?: AbortSignal): Promise<boolean> {
    const path = `/api/jobs/${encodeURIComponent(submissionId)}/stop`;
    const call: Call = { ...this.#get(path, "stop job"), method: "POST" };
    return (await orUndefined(this.#bytes(call, signal))) !== undefined;
  }

  /** Removes the record of a job that has ended. False when the cluster knows no such job. */
  async deleteJob(submissionId: string, signal?: AbortSignal): Promise<boolean> {
    const path = `/api/jobs/${encodeURIComponent(submissionId)}`;
    const call: Call = { ...this.#get(path, "delete job"), method: "DELETE" };
    return (await orUndefined(this.#bytes(call, signal))) !== undefined;
  }

  /** The content of a log file as it is now; undefined when there is no such file. */
  async logFile(file: LogFile, signal?: AbortSignal, lines = -1): Promise<Buffer | undefined> {
    const query = { node_id: file.nodeId, filename: file.filename, lines: String(lines) };
    return fileOrUndefined(
      this.#bytes({ ...this.#get("/api/v0/logs/file", "log file"), query, type: logType }, signal),
    );
  }

  /** What to say of a log file of which there has to be more. */
  unread({ filename }: LogFile, content: Buffer | undefined): DashboardError {
    const said = content ? `${content.length} bytes of ${filename}` : `A file is not found at: ${filename}`;
    return new DashboardError("unreadable", this.origin, "log file", { said });
  }

  /**
   * The content of a log file from its start, and what is appended to it as it comes, until the signal aborts or the
   * connection breaks. Undefined when there is no such file. It takes one of the about 100 such requests that a
   * dashboard serves at a time; beyond them it rejects with `busy`.
   */
  async streamLog(file: LogFile, signal: AbortSignal): Promise<AsyncIterable<Uint8Array> | undefined> {
    const interval = String(streamIntervalSeconds);
    const query = { node_id: file.nodeId, filename: file.filename, lines: "-1", interval };
    const call: Call = { ...this.#get("/api/v0/logs/stream", "log stream"), query, type: logType };
    const { body } = (await fileOrUndefined(this.#open(call, signal))) ?? {};
    return body && this.#chunks(call, body, signal);
  }

  /** Whether a package is there; one that is stays for at least ten minutes more. `name` is `_ray_pkg_<16 hex>.zip`. */
  async hasPackage(name: string, signal?: AbortSignal): Promise<boolean> {
    const call = this.#get(`/api/packages/gcs/${encodeURIComponent(name)}`, "get package");
    return (await orUndefined(this.#bytes(call, signal))) !== undefined;
  }

  /** Stores a package. Rejects with `too_large` beyond about 100 MiB. */
  async putPackage(name: string, content: Uint8Array, signal?: AbortSignal): Promise<void> {
    const call = this.#get(`/api/packages/gcs/${encodeURIComponent(name)}`, "put package");
    await this.#bytes({ ...call, method: "PUT", body: content, timeoutMs: 3 * this.#timeoutMs }, signal);
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  #get(path: string, name: string): Call {
    return { method: "GET", path, name, repeatable: true, timeoutMs: this.#timeoutMs };
  }

  async #json<T>(call: Call, read: (value: unknown) => T | undefined, signal?: AbortSignal): Promise<T> {
    const text = (await this.#bytes(call, signal)).toString("utf8");
    const answer = read(parseJson(text));
    if (answer === undefined) throw this.#failure("unreadable", call, { status: 200, said: text });
    return answer;
  }

  async #bytes(call: Call, signal: AbortSignal | undefined): Promise<Buffer> {
    const limit = AbortSignal.timeout(call.timeoutMs);
    const until = signal ? AbortSignal.any([signal, limit]) : limit;
    try {
      const { body } = await this.#open(call, until);
      return await this.#collect(call, body, maxJsonBytes);
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#translate(error, call, limit);
    }
  }

  /** Sends a call and returns its answer's body unread, if its status is a good one. */
  async #open(call: Call, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const headersIn = new AbortController();
    const limit = AbortSignal.timeout(call.timeoutMs);
    const late = () => headersIn.abort(limit.reason);
    limit.addEventListener("abort", late, { once: true });
    try {
      const response = await this.#send(call, AbortSignal.any([signal, headersIn.signal]));
      const isExpected = call.type === undefined || mediaType(response.headers) === call.type;
      if (response.statusCode === 200 && isExpected) return response;
      const said = (await this.#collect(call, response.body, maxErrorBytes)).toString("utf8");
      const status = response.statusCode;
      throw this.#failure(faultOf(status, said), call, { status, said, retryAfterMs: retryAfter(response.headers) });
    } catch (error) {
      signal.throwIfAborted();
      throw this.#translate(error, call, limit);
    } finally {
      limit.removeEventListener("abort", late);
    }
  }

  async #send(call: Call, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const { method, path, query, body } = call;
    const token = rayToken(this.#token);
    const headers = {
      ...(typeof body === "string" && { "content-type": "application/json" }),
      ...(body instanceof Uint8Array && { "content-type": "application/octet-stream" }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    };
    const search = query ? `?${new URLSearchParams(query)}` : "";
    const request = { origin: this.origin, path: path + search, method, headers, body: body ?? null, signal };
    try {
      return await this.#agent.request(request);
    } catch (error) {
      if (!call.repeatable || !isBroken(error)) throw error;
      await delay(retryPauseMs, undefined, { signal });
      return this.#agent.request(request);
    }
  }

  async #collect(call: Call, body: Dispatcher.ResponseData["body"], limit: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of body) {
      if (!(chunk instanceof Uint8Array)) continue;
      size += chunk.length;
      chunks.push(Buffer.from(chunk));
      if (size > limit) throw this.#failure("unreadable", call, { said: `more than ${limit} bytes` });
    }
    return Buffer.concat(chunks);
  }

  async *#chunks(call: Call, body: AsyncIterable<unknown>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of body) if (chunk instanceof Uint8Array) yield chunk;
    } catch (error) {
      signal.throwIfAborted();
      throw this.#translate(error, call, undefined);
    }
  }

  #translate(error: unknown, call: Call, limit: AbortSignal | undefined): unknown {
    if (error instanceof DashboardError) return error;
    if (limit?.aborted) return this.#failure("timeout", call, { cause: error });
    if (!(error instanceof Error && "code" in error)) return error;
    const untrusted = /CERT|SIGNATURE|^ERR_TLS/.test(String(error.code));
    return this.#failure(untrusted ? "untrusted" : "unreachable", call, { cause: error });
  }

  /** What a failing dashboard says is for who runs the service. */
  #failure(fault: DashboardFault, call: Call, details: ConstructorParameters<typeof DashboardError>[3]) {
    const said = (details?.said ?? "").slice(-4000);
    if (fault === "failed" || fault === "refused" || fault === "unreadable") {
      const status = details?.status;
      const message = "the Ray dashboard did not do what it was asked";
      const fields = { call: call.name, fault, status, said };
      if (isMissingFile(said)) this.#log("debug", message, fields);
      else this.#tellRarely([call.name, fault, status, said.slice(0, kindLength)].join(" "), "warn", message, fields);
    }
    return new DashboardError(fault, this.origin, call.name, { ...details, said });
  }
}

/** Undefined instead of a rejection for what is not there. */
async function orUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  return answer.catch((error: unknown) => {
    if (error instanceof DashboardError && error.fault === "not_found") return undefined;
    throw error;
  });
}

/** The log interface says 500 for a file that is not there. */
async function fileOrUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  return answer.catch((error: unknown) => {
    if (error instanceof DashboardError && isMissingFile(error.said)) return undefined;
    throw error;
  });
}

function isBroken(error: unknown): boolean {
  if (error instanceof errors.SocketError) return true;
  return hasCode(error, "ECONNRESET", "EPIPE");
}

function retryAfter(headers: Dispatcher.ResponseData["headers"]): number | undefined {
  const seconds = Number(headers["retry-after"]);
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 300) * 1000 : undefined;
}

function mediaType(headers: Dispatcher.ResponseData["headers"]): string {
  return String(headers["content-type"]).split(";")[0]?.trim().toLowerCase() ?? "";
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
