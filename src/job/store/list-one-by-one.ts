import type { DatabaseSync } from "node:sqlite";
import type { JobFilter } from "../../../gen/ts/pluginrunner/v1/job_pb.ts";
import { matchesFilter } from "../matches-filter.ts";
import { type Row, summaryColumns, toSummary } from "./job-row.ts";
import { lostJob } from "./lost-row.ts";

/** The rows that match a filter, newest first, of a database in which a row or a page may be broken. */
export function* listOneByOne(
  database: DatabaseSync,
  filter: JobFilter | undefined,
  cursor: number | undefined,
): Generator<Row, void, undefined> {
  const one = database.prepare(`SELECT ${summaryColumns} FROM jobs WHERE number = ?`);
  one.setReadBigInts(true);
  const known = knownRows(database);
  for (const at of [...known.keys()].sort((a, b) => b - a)) {
    if (cursor !== undefined && at >= cursor) continue;
    const row = read(() => one.get(at)) ?? { ...known.get(at), number: BigInt(at) };
    const job = read(() => toSummary(row)) ?? lostJob(row, "");
    if (matchesFilter(job, filter)) yield row;
  }
}

/** Both ways through the table, and every index: where one is broken, another may go on. Each has the columns that it knows. */
const ways = [
  "number FROM jobs NOT INDEXED ORDER BY number",
  "number FROM jobs NOT INDEXED ORDER BY number DESC",
  "number, state FROM jobs INDEXED BY jobs_by_state ORDER BY state, number",
  "number, state FROM jobs INDEXED BY jobs_by_state ORDER BY state DESC, number DESC",
  "number, job_id FROM jobs INDEXED BY sqlite_autoindex_jobs_1 ORDER BY job_id",
  "number, job_id FROM jobs INDEXED BY sqlite_autoindex_jobs_1 ORDER BY job_id DESC",
];

/** What is known of each job by its number, also of those whose rows cannot be read. */
export function knownRows(database: DatabaseSync): Map<number, Row> {
  const known = new Map<number, Row>();
  for (const way of ways) {
    read(() => {
      const statement = database.prepare(`SELECT ${way}`);
      statement.setReadBigInts(true);
      for (const row of statement.iterate()) {
        const at = Number(row.number);
        known.set(at, { ...known.get(at), ...row });
      }
    });
  }
  return known;
}

function read<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
