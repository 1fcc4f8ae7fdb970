import { PluginRunnerError } from "../../errors.ts";

/**
 * What went wrong with a call of the dashboard:
 * `unreachable` no connection, it broke, or what stands before the dashboard answered in its stead; `untrusted` its certificate; `timeout` no whole answer in time; `unauthorized` it wants another token;
 * `not_found` in Ray's own words; `exists` the submission id is taken; `too_large` the body; `busy` too many calls at a time;
 * `refused` it says that the call is wrong; `failed` it says that it failed; `unreadable` its answer is none of Ray's.
 */
export type DashboardFault =
  | "unreachable"
  | "untrusted"
  | "timeout"
  | "unauthorized"
  | "not_found"
  | "exists"
  | "too_large"
  | "busy"
  | "refused"
  | "failed"
  | "unreadable";

/** A call that the dashboard did not answer as it should. To callers it is ENGINE_UNAVAILABLE. */
export class DashboardError extends PluginRunnerError {
  readonly fault: DashboardFault;
  /** What the dashboard said, shortened; often a traceback, and then nothing for callers. */
  readonly said: string;

  constructor(fault: DashboardFault, origin: string, call: string, details: DashboardErrorDetails = {}) {
    const { status, said = "", cause, retryAfterMs = retryMs } = details;
    super("ENGINE_UNAVAILABLE", `The Ray dashboard at ${origin} ${sentences[fault]}`, {
      metadata: { address: origin, call, fault, ...(status !== undefined && { status: String(status) }) },
      retryAfterMs,
      cause,
    });
    this.fault = fault;
    this.said = said;
  }

  /** Whether there was an answer, and another call may find the dashboard well. */
  get answered(): boolean {
    return this.metadata.status !== undefined;
  }

  /** Whether Ray itself says that a file of a log folder, or its node, is not there any more. */
  get fileIsGone(): boolean {
    return isMissingFile(this.said) || /Agent for node id: \S+ doesn't exist/.test(this.said);
  }

  /** Whether the same call may succeed later without anything but time. */
  get passing(): boolean {
    return passing.includes(this.fault);
  }
}

export interface DashboardErrorDetails {
  status?: number;
  said?: string;
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

const passing: readonly DashboardFault[] = [
  "unreachable",
  "untrusted",
  "timeout",
  "unauthorized",
  "busy",
  "unreadable",
];

const sentences: Readonly<Record<DashboardFault, string>> = {
  unreachable: "cannot be reached. Check that the cluster is up and the address is right.",
  untrusted: "has a certificate that is not trusted. Name its authority with --ray-ca.",
  timeout: "did not answer in time. Try again later.",
  unauthorized: "wants another token. Set RAY_AUTH_TOKEN, or the token that the service was given.",
  not_found: "does not know what was asked for. Check that the address is a dashboard's.",
  exists: "has a job with this id already.",
  too_large: "does not take so large a request.",
  busy: "has too many requests at the moment. Try again later.",
  refused: "refuses the request; the service's log has what it said.",
  failed: "failed; the service's log has what it said.",
  unreadable: "gave an answer that is none of Ray's. Check that the address is a dashboard's.",
};

/** Short: callers that heed it, and give up after some tries, are to be told within seconds. */
const retryMs = 2000;

export function isMissingFile(said: string): boolean {
  return /A file is not found at/.test(said);
}

/** Ray's words for a job or a package that is not there. A proxy's page says 404 of whatever it cannot pass on. */
const denial = /^(Job|Package) \S+ does not exist$/;

/** What an HTTP status and its text mean. */
export function faultOf(status: number, text: string): DashboardFault {
  if (/already exists/.test(text) && /submission_id/.test(text)) return "exists";
  switch (status) {
    case 401:
    case 403:
      return "unauthorized";
    case 404:
      return denial.test(text.trim()) ? "not_found" : "unreadable";
    case 413:
      return "too_large";
    case 429:
      return "busy";
    case 502:
    case 503:
    case 504:
      return "unreachable";
  }
  if (/No available agent to submit job/.test(text)) return "busy";
  if (status >= 500) return "failed";
  return status >= 400 ? "refused" : "unreadable";
}
