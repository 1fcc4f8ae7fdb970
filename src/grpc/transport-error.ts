import { Code } from "../../gen/ts/google/rpc/code_pb.ts";
import { ExecutionError, misuse, type RunnerError, type RunnerReason, ValidationError } from "./client-errors.ts";

/** A status that the service did not send: the connection, a proxy or this client's own library did. */
export interface TransportFault {
  code: Code;
  message: string;
  cause: unknown;
}

/** The largest message that this client takes. */
export const maxMessageBytes = 16 * 1024 * 1024;

/** The error that such a status means; it names the address, and what to do where that is known. */
export function fromTransport(fault: TransportFault, address: string): RunnerError {
  return ofProxy(fault, address) ?? ofMessage(fault, address) ?? ofStatus(fault, address);
}

/** A connection that does not come about. */
export function unanswered(
  address: string,
  message: string,
  { isFinal = false, cause }: { isFinal?: boolean; cause?: unknown } = {},
): RunnerError {
  const code = Code.UNAVAILABLE;
  return new ExecutionError({ ...placeOf(address, code), reason: "UNAVAILABLE", message, code, isFinal, cause });
}

/** A message that came and that this client cannot read: the next try would bring the same one. */
export function undecodable(address: string, why: string, cause: unknown): RunnerError {
  const message = `The answer of ${address} cannot be read by this client: it is nested too deep or damaged (${why}).`;
  const code = Code.INTERNAL;
  return new ExecutionError({ ...placeOf(address, code), reason: "INTERNAL", message, code, isFinal: true, cause });
}

/** How the libraries of gRPC and Connect say that something answered with a status of HTTP. */
const httpStatus = /\bHTTP(?: status(?: code)?)?:? (\d{3})\b/i;

/** What a proxy's refusal means, by its status of HTTP. */
const proxyRefusals: Readonly<Record<number, readonly [RunnerReason, what: string]>> = {
  401: ["UNAUTHENTICATED", "wants credentials"],
  403: ["FORBIDDEN", "refuses the call"],
  404: ["FORBIDDEN", "does not know this service"],
  407: ["UNAUTHENTICATED", "wants credentials"],
  413: ["REQUEST_INVALID", "refuses a request of this size"],
  429: ["OVERLOADED", "takes no more calls for now"],
  431: ["REQUEST_INVALID", "refuses headers of this size"],
  502: ["UNAVAILABLE", "finds no service that answers"],
  503: ["UNAVAILABLE", "finds no service that answers"],
  504: ["UNAVAILABLE", "finds no service that answers"],
};

function ofProxy({ code, message, cause }: TransportFault, address: string): RunnerError | undefined {
  const number = httpStatus.exec(message)?.[1];
  if (number === undefined || number === "200") return undefined;
  const [reason, what] = proxyRefusals[Number(number)] ?? ["INTERNAL", "refuses the call"];
  const { metadata } = placeOf(address, code);
  return failure({
    reason,
    message: `A proxy at ${address} ${what} (HTTP ${number}).`,
    // The status by which calls are repeated.
    code: reason === "UNAVAILABLE" ? Code.UNAVAILABLE : code === Code.UNAVAILABLE ? Code.UNKNOWN : code,
    metadata: { ...metadata, http_status: number },
    isFinal: reason !== "UNAVAILABLE",
    cause,
  });
}

function ofMessage({ code, message, cause }: TransportFault, address: string): RunnerError | undefined {
  const decoding = /^(?:Response message parsing error|parse binary): (.*)$/s.exec(message)?.[1];
  if (decoding !== undefined) return undecodable(address, decoding, cause);
  if (code === Code.UNIMPLEMENTED) {
    const text = `The server at ${address} does not know this call: it is another service, or an older one (${message}).`;
    return failure({ ...placeOf(address, code), reason: "INTERNAL", message: text, code, isFinal: true, cause });
  }
  const encoding = /^serialize binary: (.*)$/s.exec(message)?.[1];
  if (encoding !== undefined) return misuse("/request", `cannot be sent: ${encoding}`, cause);
  if (code !== Code.RESOURCE_EXHAUSTED || !/larger than (max|configured readMaxBytes)/.test(message)) return undefined;
  const isAnswer = message.includes(`vs ${maxMessageBytes})`);
  return failure({
    ...placeOf(address, code),
    reason: isAnswer ? "INTERNAL" : "REQUEST_INVALID",
    message: isAnswer
      ? `The answer of ${address} is larger than the ${maxMessageBytes} bytes that this client takes.`
      : `The request is larger than the server at ${address} takes (${message}). Send a file's path instead, or start ` +
        "the server with a larger --max-request-size.",
    code,
    isFinal: true,
    cause,
  });
}

const reasons: Partial<Record<Code, RunnerReason>> = {
  [Code.UNAVAILABLE]: "UNAVAILABLE",
  [Code.CANCELLED]: "UNAVAILABLE",
  [Code.UNKNOWN]: "UNAVAILABLE",
  [Code.INTERNAL]: "UNAVAILABLE",
  [Code.DEADLINE_EXCEEDED]: "DEADLINE",
  [Code.UNAUTHENTICATED]: "UNAUTHENTICATED",
  [Code.PERMISSION_DENIED]: "FORBIDDEN",
};

function ofStatus({ code, message, cause }: TransportFault, address: string): RunnerError {
  const reason = reasons[code] ?? "INTERNAL";
  const what = reason === "UNAVAILABLE" ? "No answer from" : "The call failed at";
  return failure({ ...placeOf(address, code), reason, message: `${what} ${address}: ${message}`, code, cause });
}

function failure(init: ConstructorParameters<typeof ExecutionError>[0]): RunnerError {
  return init.reason === "REQUEST_INVALID" ? new ValidationError(init) : new ExecutionError(init);
}

function placeOf(address: string, code: Code) {
  return { metadata: { address, status: codeNames.get(code) ?? String(code) } };
}

const codeNames = new Map<number, string>(Object.entries(Code).map(([name, code]) => [code, name]));
