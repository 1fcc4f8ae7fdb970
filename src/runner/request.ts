import type { JsonObject } from "@bufbuild/protobuf";
import { type Duration, durationMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import type { JobFilter } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import type { Resources } from "../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import { PluginRunnerError, requestInvalid } from "../errors.ts";
import { findFaultBesideNumbers, findJsonFault, isJsonObject } from "../util/json.ts";
import { type Carried, withNumbers } from "../util/non-finite.ts";
import { toPlainJson } from "../util/plain-json.ts";

const jobIdPattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const variablePattern = /^[A-Za-z_][A-Za-z0-9_]*$/;
const maxReferenceLength = 4096;
const maxVariables = 256;
const maxVariableBytes = 32 * 1024;
const maxLabels = 64;
const maxStates = 64;

/** What `google.protobuf.Duration` and `Timestamp` can say: beyond it no client could show them. */
const maxDurationSeconds = 315_576_000_000n;
const minTimestampSeconds = -62_135_596_800n;
const maxTimestampSeconds = 253_402_300_799n;
const maxNanos = 999_999_999;

/** What `RunPlugin`, `SubmitJob` and `ValidateParams` have in common. */
export interface ActionRequest {
  plugin: string;
  action: string;
  entrypoint: string;
}

/** What a request calls its action. */
export function nameOf({ action, entrypoint }: ActionRequest): string {
  return action || entrypoint;
}

/** What such a request gives the action. */
export interface GivenParams {
  params?: JsonObject | undefined;
  nonFinite: string[];
}

/** Throws REQUEST_INVALID for what could not even be looked up. */
export function checkActionRequest(request: ActionRequest): void {
  for (const field of ["plugin", "action", "entrypoint"] as const) {
    const value = request[field];
    if (value.length > maxReferenceLength)
      throw requestInvalid(`/${field}`, `has more than ${maxReferenceLength} characters`);
    if (value.includes("\0")) throw requestInvalid(`/${field}`, "has a NUL character");
  }
  if (request.plugin === "") throw requestInvalid("/plugin", "is required: a path, a code or a module");
  if (request.action === "" && request.entrypoint === "") {
    throw requestInvalid("/action", "is required, unless an entrypoint is given");
  }
}

/**
 * The params of a request. A NaN or an infinity that stands as a number among them means the same as one that
 * `non_finite` names. Throws PARAMS_INVALID for what cannot be passed on, REQUEST_INVALID for a pointer that leads elsewhere.
 */
export function paramsOf({ params = {}, nonFinite }: GivenParams): Carried<JsonObject> {
  if (nonFinite.length === 0 && !findJsonFault(params)) return { value: params, nonFinite };
  const fault = findFaultBesideNumbers(params);
  if (fault) throw unusable(`/params${fault.pointer}`, fault.description);
  const numbers = withNumbers(structuredClone(params), nonFinite, (index) => {
    throw requestInvalid(
      `/non_finite/${index}`,
      'leads to no text "NaN", "Infinity" or "-Infinity" in the params: give JSON pointers to such texts',
    );
  });
  const plain = toPlainJson(numbers);
  return { value: isJsonObject(plain.value) ? plain.value : {}, nonFinite: plain.nonFinite };
}

function unusable(field: string, description: string): PluginRunnerError {
  return new PluginRunnerError("PARAMS_INVALID", `${field} ${description}.`, {
    violations: [{ field, description, rule: "json" }],
    metadata: { field },
  });
}

export function checkEnv(env: Readonly<Record<string, string>>): void {
  const names = Object.keys(env);
  if (names.length > maxVariables) throw requestInvalid("/env", `has more than ${maxVariables} variables`);
  for (const name of names) {
    if (!variablePattern.test(name)) throw requestInvalid("/env", "has a name that no environment variable can have");
    const value = env[name] ?? "";
    if (value.includes("\0") || Buffer.byteLength(value) > maxVariableBytes) {
      throw requestInvalid(`/env/${name}`, `has a NUL character or more than ${maxVariableBytes} bytes`);
    }
  }
}

export function checkJobId(jobId: string): void {
  if (jobId !== "" && !jobIdPattern.test(jobId)) {
    throw requestInvalid("/job_id", "has to be 1 to 64 letters, digits, '-' and '_', the first a letter or digit", {
      pattern: jobIdPattern.source,
    });
  }
}

export function checkLabels(labels: Readonly<Record<string, string>>): void {
  const entries = Object.entries(labels);
  if (entries.length > maxLabels) throw requestInvalid("/labels", `has more than ${maxLabels} labels`);
  for (const [name, value] of entries) {
    if (name === "" || name.length > 63)
      throw requestInvalid("/labels", "has a name that is empty or above 63 characters");
    if (value.length > 256) throw requestInvalid(`/labels/${name}`, "has more than 256 characters");
  }
}

/** Throws REQUEST_INVALID for a filter that no job could match, or that asks for more than a store can. */
export function checkFilter(filter: JobFilter | undefined): void {
  if (!filter) return;
  if (filter.states.length > maxStates) throw requestInvalid("/filter/states", `has more than ${maxStates} states`);
  if (Object.keys(filter.labels).length > maxLabels) {
    throw requestInvalid("/filter/labels", `has more than ${maxLabels} labels`);
  }
  checkTimestamp("/filter/created_after", filter.createdAfter);
  checkTimestamp("/filter/created_before", filter.createdBefore);
}

function checkTimestamp(field: string, timestamp: Timestamp | undefined): void {
  if (!timestamp) return;
  const { seconds, nanos } = timestamp;
  if (seconds >= minTimestampSeconds && seconds <= maxTimestampSeconds && nanos >= 0 && nanos <= maxNanos) return;
  throw requestInvalid(field, "is no Timestamp: from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999999Z");
}

/** A timeout in milliseconds; undefined for none. */
export function timeoutMs(timeout: Duration | undefined): number | undefined {
  if (!timeout) return undefined;
  const { seconds, nanos } = timeout;
  if (seconds < 0n || nanos < 0 || (seconds === 0n && nanos === 0)) {
    throw requestInvalid("/timeout", "has to be more than 0");
  }
  if (seconds > maxDurationSeconds || nanos > maxNanos) {
    throw requestInvalid("/timeout", `is no Duration: at most ${maxDurationSeconds} seconds and ${maxNanos} nanos`);
  }
  return durationMs(timeout);
}

/** What the request sets, over what the action's configuration sets. */
export function mergeResources(configured: Resources | undefined, asked: Resources | undefined): Resources | undefined {
  if (!configured || !asked) return checked(asked ?? configured);
  const merged: Resources = { ...configured, custom: { ...configured.custom, ...asked.custom } };
  if (asked.cpus !== undefined) merged.cpus = asked.cpus;
  if (asked.gpus !== undefined) merged.gpus = asked.gpus;
  if (asked.memoryMib !== undefined) merged.memoryMib = asked.memoryMib;
  return checked(merged);
}

function checked(resources: Resources | undefined): Resources | undefined {
  if (!resources) return undefined;
  const { cpus, gpus, memoryMib, custom } = resources;
  for (const [name, amount] of Object.entries({ cpus, gpus, memory_mib: memoryMib, ...custom })) {
    if (amount !== undefined && !(amount >= 0 && Number.isFinite(amount))) {
      throw requestInvalid(`/resources/${name}`, `has to be 0 or more, and not ${amount}`);
    }
  }
  return resources;
}
