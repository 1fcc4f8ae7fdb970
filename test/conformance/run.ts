import assert from "node:assert/strict";
import { inspect } from "node:util";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { type ActionOptions, type Client, type JobEvent, JobState, RunnerError } from "../../src/client.ts";

export const modes = ["local", "task", "job"] as const;
export type Mode = (typeof modes)[number];

export const languages = ["python", "javascript"] as const;

/** Every mode with every language. */
export const everywhere = languages.flatMap((language) => modes.map((mode) => ({ language, mode })));

/** Runs an action in one of the modes and waits for its end: resolves and rejects alike in all of them. */
export async function run(
  client: Client,
  mode: Mode,
  plugin: string,
  action: string,
  params: JsonObject = {},
  options: ActionOptions = {},
): Promise<JsonValue> {
  if (mode !== "job") return client.runPlugin(plugin, action, params, { ...options, mode });
  const job = await client.submitJob(plugin, action, params, options);
  return job.result();
}

/** The error that something ends with. */
export async function failure(ending: Promise<unknown>): Promise<RunnerError> {
  const outcome = await ending.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ("error" in outcome && outcome.error instanceof RunnerError) return outcome.error;
  assert.fail(`expected an error of the service, got ${inspect(outcome)}`);
}

/** Everything that a stream yields. */
export async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

type Payload = JobEvent["payload"];
type ValueOf = { [P in Exclude<Payload, { case?: undefined }> as P["case"]]: P["value"] };

/** The payloads of one kind among a job's events. */
export function payloads<Case extends keyof ValueOf>(events: readonly JobEvent[], kind: Case): ValueOf[Case][] {
  const found: ValueOf[Case][] = [];
  for (const { payload } of events) if (isOf(payload, kind)) found.push(payload.value);
  return found;
}

function isOf<Case extends keyof ValueOf>(
  payload: Payload,
  kind: Case,
): payload is Payload & { case: Case; value: ValueOf[Case] } {
  return payload.case === kind;
}

/** Waits until a job is known to run. */
export async function running(client: Client, jobId: string): Promise<void> {
  for await (const { event } of client.watchJob(jobId)) {
    if (event?.payload.case === "stateChanged" && event.payload.value.state === JobState.RUNNING) return;
  }
  assert.fail("the job has ended without running");
}

/** An object of JSON; throws for everything else. */
export function object(value: JsonValue | undefined): JsonObject {
  assert.ok(typeof value === "object" && value !== null && !Array.isArray(value), JSON.stringify(value));
  return value;
}
