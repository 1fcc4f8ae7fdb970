import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect as dial } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { enumToJson, type JsonValue } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import {
  eventToJson,
  type JobEvent,
  type JobHandle,
  JobStateSchema,
  RunnerError,
  type RunOptions,
} from "../../src/client.ts";
import type { Client } from "../../src/grpc/client.ts";
import { collect, failure, payloads } from "../conformance/run.ts";
import type { Case, CaseRequest, Expectation, ExpectedError } from "./cases.ts";
import type { Targets } from "./targets.ts";

/** What a case runs against: a client of its target, and of the proxy whose connections `cut` cuts. */
export interface Subject {
  client: Client;
  proxied: Client;
  all: Targets;
}

/** Runs one case with a client of this project's TypeScript library. */
export async function runCase(one: Case, subject: Subject): Promise<void> {
  const verb = verbs[one.do];
  assert.ok(verb, `the case does what this suite does not know: ${one.do}`);
  await verb(one, subject);
}

type Verb = (one: Case, subject: Subject) => Promise<void>;

const verbs: Record<string, Verb> = {
  async run({ request, expect }, { client }) {
    await settles(run(client, request), expect);
  },

  async submit({ request, expect }, { client }) {
    await settles(submit(client, request), expect);
  },

  async job({ request, expect }, { client }) {
    const job = await submit(client, request);
    const events = await collect(job.events());
    checkOrder(events);
    checkEvents(events, expect);
    await settles(job.result(), expect);
    assert.equal(await stateOf(client, job), expect.state);
  },

  async run_job({ request }, { client }) {
    const jobId = randomUUID();
    const { plugin = "", action = "", params } = request;
    assert.equal(await client.runPlugin(plugin, action, params, { mode: "job", jobId }), jobId);
    assert.equal((await client.getJob(jobId)).endTime, undefined);
    await client.cancelJob(jobId);
  },

  async validate({ request, expect }, { client }) {
    const { plugin = "", action = "", params } = request;
    const verdict = await client.validateParams(plugin, action, params);
    assert.equal(verdict.valid, expect.valid);
    if (expect.params) assert.deepEqual(verdict.params, expect.params);
    for (const [at, violation] of (expect.violations ?? []).entries()) {
      assert.partialDeepStrictEqual(verdict.violations[at], violation);
    }
  },

  async get({ request, expect }, { client }) {
    await settles(client.getJob(request.job_id ?? ""), expect);
  },

  async watch({ request, expect }, { client }) {
    await settles(collect(client.watchJob(request.job_id ?? "")), expect);
  },

  async abort({ request }, { client }) {
    const leaving = new AbortController();
    const left = new Error("left");
    const outcome = assert.rejects(run(client, request, leaving.signal), (error) => error === left);
    await delay(300);
    leaving.abort(left);
    await outcome;
  },

  async cancel({ request, expect }, { client }) {
    const job = await submit(client, request);
    await progressed(job);
    await job.cancel();
    await settles(job.result(), expect);
    assert.equal(await stateOf(client, job), expect.state);
  },

  async delete({ request, expect }, { client }) {
    const job = await submit(client, request);
    await progressed(job);
    await settles(client.deleteJob(job.id), expect);
    await job.cancel();
    await collect(job.events());
    await client.deleteJob(job.id);
    assert.equal((await failure(client.getJob(job.id))).reason, "JOB_NOT_FOUND");
  },

  async attach({ request, again = {}, expect }, { client }) {
    const job_id = randomUUID();
    const first = await submit(client, { ...request, job_id });
    const second = submit(client, { ...again, job_id });
    if (expect.error) await settles(second, expect);
    else assert.equal((await second).id, first.id);
  },

  async resume({ request, cut_after = [], expect }, { client, proxied, all }) {
    const job = await submit(client, request);
    const events: JobEvent[] = [];
    let cuts = 0;
    for await (const { event } of proxied.watchJob(job.id, { onRetry: () => cuts++ })) {
      if (event === undefined) continue;
      events.push(event);
      if (cut_after.includes(Number(event.sequence))) await told(all.proxy.cut);
    }
    checkOrder(events);
    // What is left may come in one message, so that a later cut finds nothing to cut.
    assert.ok(cuts > 0, "the stream was not cut");
    await settles(job.result(), expect);
  },

  async silence({ request, silent_after = 0, expect }, { client, all }) {
    const job = await submit(client, request);
    const events: JobEvent[] = [];
    let cuts = 0;
    for await (const { event } of client.watchJob(job.id, { onRetry: () => cuts++ })) {
      if (event === undefined) continue;
      events.push(event);
      if (Number(event.sequence) === silent_after) await told(all.silent.silence);
    }
    checkOrder(events);
    checkEvents(events, expect);
    assert.ok(cuts > 0, "the stream was not silent");
  },

  async leave({ request, expect }, { client, all }) {
    const params = { mark: randomUUID() };
    await Promise.all([settles(run(client, { ...request, params }), expect), told(all.leaving.leave)]);
    assert.equal(await run(client, { ...request, action: "starts", params }), 1);
  },

  async watch_from({ request, after_sequence = 0, expect }, { client }) {
    const job = await submit(client, request);
    await job.result();
    const watched = collect(client.watchJob(job.id, { afterSequence: after_sequence }));
    if (expect.error) return settles(watched, expect);
    const [first] = (await watched).flatMap(({ event }) => event ?? []);
    assert.equal(Number(first?.sequence), expect.first_sequence);
  },

  async list({ request, count = 0 }, { client }) {
    const labels = { case: randomUUID() };
    const ids: string[] = [];
    for (let at = 0; at < count; at++) ids.unshift((await submit(client, { ...request, labels })).id);
    const found = await collect(client.listJobs({ labels }));
    assert.deepEqual(
      found.map((job) => job.jobId),
      ids,
    );
  },
};

/** Connects to what does something then, and resolves once that is done. */
async function told(address: string): Promise<void> {
  await once(dial(Number(address.split(":")[1]), "127.0.0.1"), "close");
}

function run(client: Client, request: Partial<CaseRequest>, signal?: AbortSignal): Promise<JsonValue> {
  const { plugin = "", action = "", params, mode = "local" } = request;
  return client.runPlugin(plugin, action, params, { ...options(request), mode, signal });
}

function submit(client: Client, request: Partial<CaseRequest>): Promise<JobHandle> {
  const { plugin = "", action = "", params, labels } = request;
  return client.submitJob(plugin, action, params, { ...options(request), labels });
}

function options({ entrypoint, env, job_id, timeout }: Partial<CaseRequest>): Pick<RunOptions, "entrypoint" | "env"> {
  return { entrypoint, env, ...(job_id && { jobId: job_id }), ...(timeout && { timeoutMs: timeout * 1000 }) };
}

async function progressed(job: JobHandle): Promise<void> {
  for await (const { payload } of job.events()) if (payload.case === "progress") return;
  assert.fail("the job has ended without progress");
}

async function stateOf(client: Client, { id }: JobHandle): Promise<string> {
  return String(enumToJson(JobStateSchema, (await client.getJob(id)).state)).replace("JOB_STATE_", "");
}

async function settles(ending: Promise<unknown>, expect: Expectation): Promise<void> {
  if (expect.error) return checkError(await failure(ending), expect.error);
  const result = await ending;
  if ("contains" in expect) assert.partialDeepStrictEqual(result, expect.contains);
  else assert.deepEqual(result, expect.result);
}

function checkError(error: RunnerError, expected: ExpectedError): void {
  assert.ok(error instanceof RunnerError);
  assert.deepEqual(
    { class: error.name, reason: error.reason, code: status[error.code] },
    { class: expected.class, reason: expected.reason, code: expected.code },
  );
  assert.equal(error.metadata.exception_type, undefined);
  const { metadata, exceptionType, pluginStack, violations } = error;
  assert.partialDeepStrictEqual(metadata, expected.metadata ?? {});
  for (const [text, part] of [
    [error.message, expected.message],
    [exceptionType, expected.exception_type],
    [pluginStack, expected.stack],
  ]) {
    assert.ok(text?.includes(part ?? ""), `${text} has no ${part}`);
  }
  if (expected.violations) {
    assert.equal(violations.length, expected.violations.length);
    for (const [at, one] of expected.violations.entries()) assert.partialDeepStrictEqual(violations[at], one);
  }
  assert.equal(error.retryAfterMs, expected.retry_after && expected.retry_after * 1000);
}

/** Every event once, in order; the last one, and only it, is a result or an error. */
function checkOrder(events: readonly JobEvent[]): void {
  assert.deepEqual(
    events.map((event) => Number(event.sequence)),
    events.map((_, at) => at + 1),
  );
  const last = events.map(({ payload }) => payload.case === "result" || payload.case === "error");
  assert.equal(last.indexOf(true), events.length - 1);
}

function checkEvents(events: readonly JobEvent[], { events: expected = [], logs = [] }: Expectation): void {
  const found = events.map((event) => eventToJson(event, { useProtoFieldName: true }));
  let from = 0;
  for (const one of expected) {
    const at = found.findIndex((event, index) => index >= from && holds(event, withText(one)));
    assert.ok(at >= 0, `${JSON.stringify(one)} is not among ${JSON.stringify(found.slice(from))}`);
    from = at + 1;
  }
  const lines = payloads(events, "log").map(({ source, level, message }) => ({ source, level, message }));
  for (const { source, ...rest } of logs) {
    const line = { ...rest, source: ["", "STDOUT", "STDERR", "LOGGER"].indexOf(String(source)) };
    assert.ok(
      lines.some((one) => holds(one, line)),
      `${JSON.stringify(line)} is not among ${JSON.stringify(lines)}`,
    );
  }
}

/** 64-bit integers are texts in protobuf's JSON. */
function withText(expected: object): unknown {
  return JSON.parse(JSON.stringify(expected), (name, value) => (name === "size_bytes" ? String(value) : value));
}

function holds(actual: unknown, expected: unknown): boolean {
  try {
    assert.partialDeepStrictEqual(actual, expected);
    return true;
  } catch {
    return false;
  }
}
