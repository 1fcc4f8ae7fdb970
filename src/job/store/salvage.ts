import { closeSync, openSync, readSync, rmSync, statSync, writeSync } from "node:fs";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { create, fromBinary } from "@bufbuild/protobuf";
import { JobEventSchema } from "../../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import { FieldViolationSchema, type Job, JobState } from "../../../gen/ts/pluginrunner/v1/job_pb.ts";
import { messageOf } from "../../util/message-of.ts";
import { errorEvent } from "../follow-events.ts";
import { JobLog } from "../job-log.ts";
import { isTerminal } from "../job-state.ts";
import { WatchHub } from "../watch-hub.ts";
import { dataLoss } from "./data-loss.ts";
import { openDatabase } from "./database.ts";
import { columnsOf, endTimeOf, type ReadRecord, type Row, readRow, summaryIn } from "./job-row.ts";
import type { StoredEvent } from "./job-store.ts";
import { knownRows } from "./list-one-by-one.ts";
import { idInSummary } from "./lost-row.ts";
import { missingEvents } from "./missing-events.ts";
import { keyOf, seal } from "./sealed.ts";
import { openSqliteStore } from "./sqlite-store.ts";
import { readEvent } from "./stored-event.ts";

export interface Salvaged {
  jobs: number;
  events: number;
  /** What could not be saved, a line each. */
  lost: string[];
}

/**
 * Saves what can be read of a broken file of jobs into a new one.
 * @param from may be changed by this: a copy
 * @param to must not be there
 */
export async function salvage(from: string, to: string): Promise<Salvaged> {
  const result: Salvaged = { jobs: 0, events: 0, lost: [] };
  const ending: ReadRecord[] = [];
  openDatabase(to, 0).close(); // so that its first page stands in the file
  const { database: fresh, close } = openDatabase(to, 0);
  try {
    const broken = openBroken(from, to);
    if (!broken) result.lost.push("Nothing of the database can be read.");
    else {
      saveAll(broken, fresh, result, ending);
      broken.close();
    }
  } finally {
    close();
  }
  await end(to, ending);
  return result;
}

/** Undefined where no way leads to the tables. */
function openBroken(file: string, fresh: string): DatabaseSync | undefined {
  for (const mend of [() => {}, () => borrowFirstPage(file, fresh), () => withoutWal(file)]) {
    mend();
    const database = tryOpen(file);
    if (database) return database;
  }
  return undefined;
}

function tryOpen(file: string): DatabaseSync | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file);
    for (const table of ["jobs", "events"]) database.prepare(`SELECT 1 FROM ${table} LIMIT 0`).all();
    return database;
  } catch {
    database?.close();
    return undefined;
  }
}

/** The first page says where the tables begin, which is the same in every file of jobs. */
function borrowFirstPage(file: string, fresh: string): void {
  const page = Buffer.alloc(firstPageBytes);
  const from = openSync(fresh, "r");
  readSync(from, page, 0, page.length, 0);
  closeSync(from);
  const pages = Math.floor(statSync(file).size / page.length);
  page.writeUInt32BE(pages, 28);
  // No page is free.
  page.writeUInt32BE(0, 32);
  page.writeUInt32BE(0, 36);
  const to = openSync(file, "r+");
  writeSync(to, page, 0, page.length, 0);
  closeSync(to);
}

const firstPageBytes = 4096;

function withoutWal(file: string): void {
  for (const end of ["-wal", "-shm"]) rmSync(`${file}${end}`, { force: true });
}

function saveAll(broken: DatabaseSync, fresh: DatabaseSync, result: Salvaged, ending: ReadRecord[]): void {
  const one = broken.prepare("SELECT * FROM jobs WHERE number = ?");
  one.setReadBigInts(true);
  const known = knownRows(broken);
  const last = Math.max(0, ...known.keys(), highestNumber(broken));
  for (let at = 1; at <= last; at++) {
    const name = known.get(at)?.job_id ? `job ${known.get(at)?.job_id}` : `job number ${at}`;
    let row: Row | undefined;
    try {
      row = one.get(at);
      if (!row && known.has(at)) throw new Error("only an index knows of it");
      if (row) saveJob(row, broken, fresh, result, ending);
    } catch (error) {
      result.lost.push(
        `${typeof row?.job_id === "string" && row.job_id !== "" ? `job ${row.job_id}` : name}: ${messageOf(error)}`,
      );
    }
  }
}

/** The highest number that was ever given, deleted jobs included. */
function highestNumber(database: DatabaseSync): number {
  try {
    const { seq } = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'jobs'").get() ?? {};
    return Number.isSafeInteger(seq) ? Math.min(Number(seq), maxNumber) : 0;
  } catch {
    return 0;
  }
}

/** A broken one must not be counted up to. */
const maxNumber = 10_000_000;

function saveJob(row: Row, broken: DatabaseSync, fresh: DatabaseSync, result: Salvaged, ending: ReadRecord[]): void {
  const record = readRow(mended(row, broken));
  const { job, lost } = record;
  const events = [...readEvents(broken, job)];
  const left = lost.filter((part) => !(part.startsWith("result:") && restoreResult(job, events.at(-1))));
  const part = (name: string) => left.some((each) => each.startsWith(`${name}:`));
  for (const each of left.filter((one) => /^(params|result):/.test(one))) {
    const [field = ""] = each.split(":");
    const description = "Lost: the service's data was damaged, and repaired without it.";
    job.warnings.push(create(FieldViolationSchema, { field: `/${field}`, description, rule: "DATA_LOSS" }));
  }
  const startsStill = job.state === JobState.PENDING && left.length > 0;
  if (!isTerminal(job.state) && (startsStill || part("fingerprint") || part("position")))
    ending.push({ ...record, lost: left });
  const columns: Record<string, SQLInputValue> = { number: row.number ?? null, ...columnsOf(record) };
  const names = Object.keys(columns);
  const key = keyOf(job.jobId);
  fresh.exec("BEGIN");
  try {
    fresh.prepare(`INSERT INTO jobs (${names}) VALUES (${names.map(() => "?")})`).run(...Object.values(columns));
    const add = fresh.prepare("INSERT INTO events VALUES (?, ?, ?)");
    for (const { sequence, bytes } of events) add.run(job.jobId, sequence, seal(bytes, key + Number(sequence)));
    fresh.exec("COMMIT");
  } catch (error) {
    fresh.exec("ROLLBACK");
    throw error;
  }
  result.jobs++;
  result.events += events.length;
  result.lost.push(...left.map((each) => `job ${job.jobId}: ${each}`));
  const { ranges } = missingEvents(fresh, job.jobId, job.oldestSequence || 1n, job.lastSequence);
  if (ranges !== "") result.lost.push(`job ${job.jobId}: events ${ranges}`);
}

/** What a summary says, whose checksum is right, goes before the columns beside it; the id as well, unless another job has it. */
function mended(row: Row, broken: DatabaseSync): Row {
  const told = idInSummary(row);
  const found = told === undefined || told === row.job_id || isTaken(told, broken) ? row : { ...row, job_id: told };
  const { job } = summaryIn(found);
  return { ...found, state: job.state, end_time: endTimeOf(job) };
}

function isTaken(jobId: string, broken: DatabaseSync): boolean {
  try {
    return broken.prepare("SELECT 1 FROM jobs NOT INDEXED WHERE job_id = ?").get(jobId) !== undefined;
  } catch {
    return true; // on a page that cannot be read it may stand
  }
}

/** The last event of a job that succeeded has its result as well. */
function restoreResult(job: Job, last: StoredEvent | undefined): boolean {
  const { payload } = last ? fromBinary(JobEventSchema, last.bytes) : {};
  if (payload?.case !== "result" || !payload.value.value) return false;
  job.result = payload.value.value;
  job.nonFiniteResult = payload.value.nonFinite;
  return true;
}

/** Past those that cannot be read, and past pages that cannot. */
function* readEvents(database: DatabaseSync, { jobId, lastSequence }: Job): Generator<StoredEvent, void, undefined> {
  const next = database.prepare(
    "SELECT sequence, bytes FROM events WHERE job_id = ? AND sequence > ? ORDER BY sequence LIMIT 1",
  );
  next.setReadBigInts(true);
  for (let after = 0n; after < lastSequence; after++) {
    try {
      const row = next.get(jobId, after);
      if (!row) return;
      const event = readEvent(row, jobId);
      if (event && event.sequence > after && event.sequence <= lastSequence) {
        after = event.sequence - 1n;
        yield event;
      }
    } catch {
      // Those on the same page cannot be read either; the one after them may be.
    }
  }
}

/** Jobs that cannot go on as they were are ended, as a service would. */
async function end(file: string, records: readonly ReadRecord[]): Promise<void> {
  if (records.length === 0) return;
  const store = openSqliteStore(file);
  for (const { lost, ...record } of records) {
    const log = new JobLog(record, { store, hub: new WatchHub(), maxEvents: Number.POSITIVE_INFINITY });
    // An event that came after what the record knows of may be there already.
    await log
      .append([errorEvent(log, dataLoss(record.job.jobId, lost.join("; ")))])
      .catch(() => store.fail(record.job.jobId));
  }
  await store.close();
}
