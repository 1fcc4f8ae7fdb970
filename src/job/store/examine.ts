import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { messageOf } from "../../util/message-of.ts";
import { checkRow, number, type Row, text } from "./job-row.ts";
import type { StoreFault } from "./job-store.ts";
import { readEvent } from "./stored-event.ts";

/** SQLite's own look at a file takes some 10 ms for so much; a larger one is left to `doctor`. */
const quickCheckBytes = 4 * 1024 * 1024;
/** So many rows take a few milliseconds, unless they are large: then it is one with each step. */
const jobsAtOnce = 25;
const smallBytes = 64 * 1024;
const eventsAtOnce = 200;
const maxCheckLines = 20;

/** Looks at everything in a database, a small part with each step: yields the faults that it found. */
export function* examine(database: DatabaseSync): Generator<StoreFault[], void, undefined> {
  yield* examineRows(database);
  if (sizeOf(database) <= quickCheckBytes) yield quickCheck(database);
}

/** Without SQLite's own look at the file. */
export function* examineRows(database: DatabaseSync): Generator<StoreFault[], void, undefined> {
  yield* examineJobs(database);
  yield* examineEvents(database);
}

/** SQLite's own look at the file. */
export function quickCheck(database: DatabaseSync, pragma = "quick_check"): StoreFault[] {
  try {
    const rows = database.prepare(`PRAGMA ${pragma}(${maxCheckLines})`).all();
    const lines = rows.flatMap((row) => Object.values(row).map(String));
    return lines.filter((line) => line !== "ok").map((what) => ({ jobId: "", what }));
  } catch (error) {
    return [{ jobId: "", what: messageOf(error) }];
  }
}

function* examineJobs(database: DatabaseSync): Generator<StoreFault[], void, undefined> {
  const page = database.prepare(
    "SELECT number, octet_length(given) + octet_length(params) + ifnull(octet_length(result), 0) AS bytes FROM jobs WHERE number > ? ORDER BY number LIMIT ?",
  );
  const one = database.prepare("SELECT * FROM jobs WHERE number = ?");
  for (const statement of [page, one]) statement.setReadBigInts(true);
  let last: SQLOutputValue = 0;
  while (true) {
    const rows: Row[] | StoreFault = tryRead("jobs", () => page.all(last, jobsAtOnce));
    if (!Array.isArray(rows)) return yield [rows];
    const newest = rows.at(-1);
    if (!newest) return;
    let faults: StoreFault[] = [];
    for (const { number: at = null, bytes } of rows) {
      faults.push(...jobFault(() => one.get(at), at));
      if (Number(bytes) <= smallBytes) continue;
      yield faults;
      faults = [];
    }
    yield faults;
    last = newest.number ?? null;
  }
}

function jobFault(read: () => Row | undefined, at: SQLOutputValue): StoreFault[] {
  let row: Row | undefined;
  try {
    row = read();
    if (row) checkRow(row); // deleted meanwhile
    return [];
  } catch (error) {
    const jobId = typeof row?.job_id === "string" ? row.job_id : "";
    return [{ jobId, what: jobId === "" ? `job number ${at}: ${messageOf(error)}` : messageOf(error) }];
  }
}

/** Each job's events that cannot be read are one fault. */
function* examineEvents(database: DatabaseSync): Generator<StoreFault[], void, undefined> {
  const page = database.prepare(
    "SELECT job_id, sequence, bytes FROM events WHERE (job_id, sequence) > (?, ?) ORDER BY job_id, sequence LIMIT ?",
  );
  page.setReadBigInts(true);
  let [lastJob, lastSequence]: [SQLOutputValue, SQLOutputValue] = ["", 0];
  let told = "";
  while (true) {
    const rows: Row[] | StoreFault = tryRead("events", () => page.all(lastJob, lastSequence, eventsAtOnce));
    if (!Array.isArray(rows)) return yield [rows];
    const newest = rows.at(-1);
    if (!newest) return;
    const faults: StoreFault[] = [];
    for (const row of rows) {
      const fault = eventFault(row);
      if (!fault || fault.jobId === told) continue;
      told = fault.jobId;
      faults.push(fault);
    }
    yield faults;
    [lastJob, lastSequence] = [newest.job_id ?? null, newest.sequence ?? null];
  }
}

function eventFault(row: Row): StoreFault | undefined {
  try {
    const jobId = text(row, "job_id");
    if (readEvent(row, jobId)) return undefined;
    return { jobId, what: `event ${number(row, "sequence")} and maybe others cannot be read` };
  } catch (error) {
    return { jobId: "", what: `an event cannot be read: ${messageOf(error)}` };
  }
}

function tryRead(table: string, read: () => Row[]): Row[] | StoreFault {
  try {
    return read();
  } catch (error) {
    return { jobId: "", what: `the table ${table}: ${messageOf(error)}` };
  }
}

function sizeOf(database: DatabaseSync): number {
  const value = (pragma: string) => Number(Object.values(database.prepare(`PRAGMA ${pragma}`).get() ?? {})[0]);
  return value("page_count") * value("page_size");
}
