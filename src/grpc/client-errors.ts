import type { JsonValue } from "@bufbuild/protobuf";
import { Code } from "../../gen/ts/google/rpc/code_pb.ts";
import type { JobError } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import type { Reason, Violation } from "../errors.ts";
import { partialResultOf } from "./client-numbers.ts";

/** What went wrong: a reason of the service, UNAVAILABLE where no service answered, or one that is newer than this client. */
export type RunnerReason = Reason | "UNAVAILABLE" | (string & {});

/** What an error of the client carries beside its message. */
export interface RunnerErrorInit {
  reason: RunnerReason;
  message: string;
  code: number;
  metadata?: Readonly<Record<string, string>>;
  violations?: readonly Violation[];
  exceptionType?: string;
  pluginStack?: string;
  retryAfterMs?: number | undefined;
  partialResult?: JsonValue | undefined;
  isFinal?: boolean;
  cause?: unknown;
}

/** Every error of the client is an ActionNotFoundError, a ValidationError or an ExecutionError. */
export abstract class RunnerError extends Error {
  /** The stable word for what went wrong, as docs/errors.md lists them; UNAVAILABLE where no service answered. */
  readonly reason: RunnerReason;
  /** The gRPC status code, as a number; UNKNOWN for what went wrong inside a job. */
  readonly code: number;
  /** Every variable of the message. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Every fault of the params or of the request. */
  readonly violations: readonly Violation[];
  /** The type of the exception that the action raised; empty for other reasons. */
  readonly exceptionType: string;
  /** The plugin's own stack; empty when the action raised nothing. */
  readonly pluginStack: string;
  /** When a retry may succeed, in milliseconds from now; undefined when the service does not say. */
  readonly retryAfterMs: number | undefined;
  /**
   * What can be carried of the action's return value when the reason is RESULT_INVALID: null stands at the places that
   * `metadata.fields` lists. Undefined where there is nothing of it.
   */
  readonly partialResult: JsonValue | undefined;
  /** Whether another try of the same call is no use although nothing has answered it, as where TLS does not fit. */
  readonly isFinal: boolean;

  constructor(name: string, init: RunnerErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.name = name;
    this.reason = init.reason;
    this.code = init.code;
    this.metadata = init.metadata ?? {};
    this.violations = init.violations ?? [];
    this.exceptionType = init.exceptionType ?? "";
    this.pluginStack = init.pluginStack ?? "";
    this.retryAfterMs = init.retryAfterMs;
    this.partialResult = init.partialResult;
    this.isFinal = init.isFinal ?? false;
    for (const key of Object.keys(this)) {
      if (isToldByStack(key) || isEmpty(Reflect.get(this, key)))
        Object.defineProperty(this, key, { enumerable: false });
    }
    this.standsAt(new.target);
  }

  /**
   * Takes the stack of the code that runs now, from the caller of `above` on, and adds what Node is to print of an error
   * that nobody catches: its reason, every fault, and the plugin's own stack.
   */
  standsAt(above: CallableFunction | NewableFunction): void {
    Error.captureStackTrace?.(this, above);
    const frames = /\n {4}at .*/s.exec(this.stack ?? "")?.[0];
    // Engines that write their stacks in another way keep them as they are.
    if (frames === undefined) return;
    const faults = this.violations.map(({ field, description }) => `\n  ${field || "/"}: ${description}`).join("");
    const plugin = this.pluginStack.trim() === "" ? "" : `\n\nIn the plugin:\n${this.pluginStack.trimEnd()}`;
    const stack = `${this.name} [${this.reason}]: ${this.message}${faults}${frames}${plugin}`;
    Object.defineProperty(this, "stack", { value: stack, writable: true, configurable: true, enumerable: false });
  }
}

function isToldByStack(key: string): boolean {
  return key === "name" || key === "violations" || key === "pluginStack";
}

function isEmpty(value: unknown): boolean {
  const isBare = value === undefined || value === "" || value === false;
  return isBare || (typeof value === "object" && value !== null && Object.keys(value).length === 0);
}

/** There is no such plugin, or it has no such action. Metadata names what there is. */
export class ActionNotFoundError extends RunnerError {
  declare readonly name: "ActionNotFoundError";

  constructor(init: RunnerErrorInit) {
    super("ActionNotFoundError", init);
  }
}

/** The params do not satisfy the action's schema, or the request is malformed; `violations` has every fault. */
export class ValidationError extends RunnerError {
  declare readonly name: "ValidationError";

  constructor(init: RunnerErrorInit) {
    super("ValidationError", init);
  }
}

/** Everything else: the action failed, was cancelled, could not be loaded, or the service could not be reached. */
export class ExecutionError extends RunnerError {
  declare readonly name: "ExecutionError";

  constructor(init: RunnerErrorInit) {
    super("ExecutionError", init);
  }
}

/** What was asked for cannot be sent. */
export function invalidRequest(...violations: readonly Violation[]): RunnerError {
  const [first, ...more] = violations;
  const rest = more.length > 0 ? ` And ${more.length} more.` : "";
  const message = `${first?.field} ${first?.description}.${rest}`;
  return new ValidationError({ reason: "REQUEST_INVALID", message, code: Code.INVALID_ARGUMENT, violations });
}

/** A fault of how the client is used: `field` is a JSON pointer to what was given. */
export function misuse(field: string, description: string, cause?: unknown): RunnerError {
  const violations = [{ field, description, rule: "request" }];
  const message = `${field} ${description}.`;
  return new ValidationError({ reason: "REQUEST_INVALID", message, code: Code.INVALID_ARGUMENT, violations, cause });
}

/** A call of a client that was closed. */
export function closedError(): RunnerError {
  const message = "This client is closed: connect another.";
  const violations = [{ field: "/client", description: message, rule: "request" }];
  return new ValidationError({ reason: "REQUEST_INVALID", message, code: Code.INVALID_ARGUMENT, violations });
}

/** What went wrong in this client itself. */
export function localError(message: string, cause?: unknown): RunnerError {
  return new ExecutionError({ reason: "INTERNAL", message, code: Code.INTERNAL, cause });
}

/** The error that ended a job, of the same classes as those of a failed call. */
export function fromJobError(jobId: string, error: JobError): RunnerError {
  const { exception_type: _, ...metadata } = error.metadata;
  return runnerError({
    reason: error.reason,
    message: error.message,
    code: Code.UNKNOWN,
    metadata: { job_id: jobId, ...metadata },
    violations: error.violations.map(({ field, description, rule }) => ({ field, description, rule })),
    exceptionType: error.exceptionType,
    pluginStack: error.stack,
    partialResult: partialResultOf(error),
  });
}

const classes: Partial<Record<string, new (init: RunnerErrorInit) => RunnerError>> = {
  PLUGIN_NOT_FOUND: ActionNotFoundError,
  ACTION_NOT_FOUND: ActionNotFoundError,
  PARAMS_INVALID: ValidationError,
  REQUEST_INVALID: ValidationError,
};

/** An error of the class that its reason belongs to. */
export function runnerError(init: RunnerErrorInit): RunnerError {
  return new (classes[init.reason] ?? ExecutionError)(init);
}
