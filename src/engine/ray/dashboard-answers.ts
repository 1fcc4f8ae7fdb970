import { isObject } from "../../util/is-object.ts";

/** Ray's words for a job's state. */
const rayJobStatuses = ["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "STOPPED"] as const;
export type RayJobStatus = (typeof rayJobStatuses)[number];

/** A job as the dashboard tells of it. */
export interface RayJob {
  submissionId: string;
  status: RayJobStatus;
  entrypoint: string;
  /** A sentence, and for a failure the last lines of its log. */
  message: string;
  /** Ray's word for a failure; empty for none. */
  errorType: string;
  /** Of the driver; negative for a signal. */
  exitCode: number | undefined;
  /** The node that the driver runs on; empty until it does. */
  nodeId: string;
  metadata: Record<string, string>;
}

export interface RayVersion {
  /** For example "2.60.0". */
  ray: string;
  /** Changes with every start of the cluster. */
  session: string;
}

/** Each reads one answer, and returns undefined for what is none. */
export function readVersion(value: unknown): RayVersion | undefined {
  if (!isObject(value) || typeof value.ray_version !== "string") return undefined;
  return { ray: value.ray_version, session: text(value.session_name) };
}

export function readSubmitted(value: unknown): string | undefined {
  return isObject(value) && typeof value.submission_id === "string" ? value.submission_id : undefined;
}

export function readJob(value: unknown): RayJob | undefined {
  if (!isObject(value) || typeof value.submission_id !== "string") return undefined;
  const status = rayJobStatuses.find((word) => word === value.status);
  if (!status) return undefined;
  return {
    submissionId: value.submission_id,
    status,
    entrypoint: text(value.entrypoint),
    message: text(value.message),
    errorType: text(value.error_type),
    exitCode: typeof value.driver_exit_code === "number" ? value.driver_exit_code : undefined,
    nodeId: text(value.driver_node_id),
    metadata: isObject(value.metadata)
      ? Object.fromEntries(Object.entries(value.metadata).map(([key, one]) => [key, text(one)]))
      : {},
  };
}

/** Only jobs that were submitted: drivers that were started in another way have no submission id. */
export function readJobs(value: unknown): RayJob[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const submitted = value.filter((row) => isObject(row) && typeof row.submission_id === "string");
  const jobs = submitted.map(readJob).filter((job) => job !== undefined);
  return jobs.length === submitted.length ? jobs : undefined;
}

/** The nodes that are there: by their ids, the resource that each has alone. */
export function readNodes(value: unknown): Map<string, string> | undefined {
  const summary = isObject(value) && isObject(value.data) ? value.data.summary : undefined;
  if (!Array.isArray(summary)) return undefined;
  const nodes = new Map<string, string>();
  for (const each of summary) {
    const { nodeId, state, resourcesTotal } = isObject(each) && isObject(each.raylet) ? each.raylet : {};
    const names = isObject(resourcesTotal) ? Object.keys(resourcesTotal) : [];
    const own = names.find((name) => name.startsWith("node:") && name !== "node:InternalHead");
    if (typeof nodeId === "string" && state === "ALIVE" && own !== undefined) nodes.set(nodeId, own);
  }
  return nodes;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
