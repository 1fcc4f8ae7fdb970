import { createHash, timingSafeEqual } from "node:crypto";
import { PluginRunnerError } from "../errors.ts";
import type { Log } from "../util/log.ts";

export interface AdmissionOptions {
  /** Every call has to bring it as `authorization: Bearer …`; undefined: none has to. */
  token: string | undefined;
  /** How many calls of a kind may be under way. */
  maxCalls: number;
  log: Log;
}

type CallKind = "unary" | "stream";

/** What every call passes on its way in and out, whatever its protocol. */
export class Admission {
  readonly #expected: Buffer | undefined;
  readonly #maxCalls: number;
  readonly #log: Log;
  readonly #underWay = { unary: 0, stream: 0 };

  constructor({ token, maxCalls, log }: AdmissionOptions) {
    this.#expected = token === undefined ? undefined : digest(token);
    this.#maxCalls = maxCalls;
    this.#log = log;
  }

  /** Counts a call in, until `leave`. Throws UNAUTHENTICATED or OVERLOADED. */
  enter(kind: CallKind, authorization: string | undefined): void {
    if (this.#expected !== undefined) checkToken(this.#expected, authorization);
    if (this.#underWay[kind] >= this.#maxCalls) throw overloaded(this.#maxCalls);
    this.#underWay[kind]++;
  }

  leave(kind: CallKind): void {
    this.#underWay[kind]--;
  }

  /** The error to answer with for what a call threw. The log gets the cause of one that is this service's own fault. */
  errorOf(thrown: unknown, method: string): PluginRunnerError {
    const error = PluginRunnerError.from(thrown);
    if (error.reason === "INTERNAL") this.#log("error", "a call failed", { method, error });
    return error;
  }
}

/** Why a call is aborted whose caller is no longer there, or no longer wants an answer. */
export function callerGone(deadlinePassed: boolean): PluginRunnerError {
  return deadlinePassed
    ? new PluginRunnerError("DEADLINE", "The call's deadline passed.", { metadata: { started: "unknown" } })
    : new PluginRunnerError("CANCELLED", "The caller is gone.", { metadata: { started: "unknown" } });
}

function checkToken(expected: Buffer, authorization: string | undefined): void {
  if (authorization === undefined) {
    throw new PluginRunnerError("UNAUTHENTICATED", "This server wants a token: send authorization: Bearer <token>.");
  }
  const [, token = ""] = /^bearer +(.*)$/i.exec(authorization) ?? [];
  if (!timingSafeEqual(digest(token), expected)) {
    throw new PluginRunnerError("UNAUTHENTICATED", "The token is not the one of this server.");
  }
}

/** Equal lengths, which `timingSafeEqual` wants. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function overloaded(maxCalls: number): PluginRunnerError {
  return new PluginRunnerError("OVERLOADED", `${maxCalls} calls are under way already; try again later.`, {
    metadata: { limit: "max_calls", value: String(maxCalls) },
    retryAfterMs: 1000,
  });
}
