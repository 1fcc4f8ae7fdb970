import type { SQLInputValue } from "node:sqlite";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { JobFilter } from "../../../gen/ts/pluginrunner/v1/job_pb.ts";

/** The clause that finds the jobs of a filter whose numbers are below `cursor`. */
export function conditions(filter: JobFilter | undefined, cursor: number | undefined) {
  const parts: string[] = [];
  const values: SQLInputValue[] = [];
  const add = (part: string, ...more: SQLInputValue[]) => {
    parts.push(part);
    values.push(...more);
  };
  if (cursor !== undefined) add("number < ?", cursor);
  if (filter?.states.length) add(`state IN (${filter.states.map(() => "?").join(",")})`, ...filter.states);
  if (filter?.plugin) add("plugin = ?", filter.plugin);
  if (filter?.action) add("action = ?", filter.action);
  for (const [name, value] of Object.entries(filter?.labels ?? {})) {
    add("EXISTS (SELECT 1 FROM json_each(labels) WHERE key = ? AND value = ?)", name, value);
  }
  if (filter?.createdAfter) add("create_time >= ?", timestampMs(filter.createdAfter));
  if (filter?.createdBefore) add("create_time < ?", timestampMs(filter.createdBefore));
  return { where: parts.length > 0 ? `WHERE ${parts.join(" AND ")}` : "", values };
}
