import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { Job, JobFilter } from "../../../gen/ts/pluginrunner/v1/job_pb.ts";
import { JobState } from "../../../gen/ts/pluginrunner/v1/job_pb.ts";
import { messageOf } from "../../util/message-of.ts";
import { sqliteCodeOf } from "../../util/storage-code.ts";
import { isTerminal, unfinishedStates } from "../job-state.ts";
import { nothingGiven, withoutParams } from "../job-summary.ts";
import { dataLoss, isBroken } from "./data-loss.ts";
import { type OwnDatabase, openDatabase } from "./database.ts";
import { examine } from "./examine.ts";
import {
  columnsOf,
  endTimeOf,
  givenOf,
  keptOf,
  number,
  paramsOf,
  type Row,
  readRow,
  resultOf,
  smallColumns,
  summaryColumns,
  summaryOf,
  text,
  toRecord,
  toSummary,
} from "./job-row.ts";
import type { JobPage, JobRecord, JobStore, StoredEvent, StoreFault, UnfinishedJob } from "./job-store.ts";
import { conditions } from "./list-conditions.ts";
import { listOneByOne } from "./list-one-by-one.ts";
import { endOf, lostJob } from "./lost-row.ts";
import { missingEvents } from "./missing-events.ts";
import { keyOf, seal } from "./sealed.ts";
import { readEvent } from "./stored-event.ts";

/** A page of jobs has to fit into a message: it may have fewer than were asked for. */
const maxPageBytes = 1024 * 1024;

/**
 * Keeps jobs in one SQLite file, which it locks: one server to a file. Throws when another one has it, or when the file
 * is of a later version, or none that can be read. The times are in milliseconds since 1970.
 */
export function openSqliteStore(file: string): JobStore {
  return new SqliteStore(openDatabase(file));
}

class SqliteStore implements JobStore {
  readonly #own: OwnDatabase;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(own: OwnDatabase) {
    this.#own = own;
    this.#database = own.database;
  }

  async insert(record: JobRecord): Promise<number | undefined> {
    const columns = columnsOf(record);
    const names = Object.keys(columns);
    const { changes } = this.#run(
      `INSERT INTO jobs (${names}) VALUES (${names.map(() => "?")}) ON CONFLICT DO NOTHING`,
      ...Object.values(columns),
    );
    return Number(changes) === 1 ? Buffer.byteLength(columns.given) : undefined;
  }

  async get(jobId: string): Promise<JobRecord | undefined> {
    return orLost(jobId, () => {
      const row = this.#row(jobId);
      return row && toRecord(row);
    });
  }

  async remains(jobId: string): Promise<{ fingerprint: string; job: Job } | undefined> {
    const row = orLost(jobId, () => this.#row(jobId));
    if (!row) return undefined;
    return { job: lostJob(row, ""), fingerprint: typeof row.fingerprint === "string" ? row.fingerprint : "" };
  }

  async append(record: JobRecord, events: readonly StoredEvent[]): Promise<void> {
    const { job } = record;
    const { jobId } = job;
    const key = keyOf(jobId);
    this.#transaction(jobId, () => {
      for (const { sequence, bytes } of events) {
        this.#run("INSERT INTO events VALUES (?, ?, ?)", jobId, sequence, seal(bytes, key + Number(sequence)));
      }
      this.#save(record);
      if (isTerminal(job.state)) this.#saveGiven(record);
      const result = resultOf(job);
      if (result) this.#run("UPDATE jobs SET result = ? WHERE job_id = ?", result, jobId);
    });
  }

  async settle(record: JobRecord): Promise<void> {
    const { jobId } = record.job;
    this.#transaction(jobId, () => {
      this.#save(record);
      this.#saveGiven(record);
      this.#run("UPDATE jobs SET params = ? WHERE job_id = ?", paramsOf(record), jobId);
    });
  }

  async events(jobId: string, after: bigint, limit: number, maxBytes: number): Promise<StoredEvent[]> {
    const found: StoredEvent[] = [];
    let bytes = 0;
    const rows = this.#statement(
      "SELECT sequence, bytes FROM events WHERE job_id = ? AND sequence > ? ORDER BY sequence LIMIT ?",
    );
    try {
      for (const row of rows.iterate(jobId, after, limit)) {
        const event = readEvent(row, jobId);
        bytes += event?.bytes.length ?? 0;
        if (!event || (found.length > 0 && bytes > maxBytes)) break;
        found.push(event);
      }
    } catch (error) {
      if (!isBroken(error)) throw error;
    }
    return found;
  }

  async missing(jobId: string, first: bigint, last: bigint) {
    return missingEvents(this.#database, jobId, first, last);
  }

  async trim(record: JobRecord, before: bigint): Promise<void> {
    this.#transaction(record.job.jobId, () => {
      this.#run("DELETE FROM events WHERE job_id = ? AND sequence < ?", record.job.jobId, before);
      this.#save(record);
    });
  }

  async list(filter: JobFilter | undefined, limit: number, cursor: number | undefined): Promise<JobPage> {
    try {
      const { where, values } = conditions(filter, cursor);
      const statement = this.#database.prepare(
        `SELECT ${summaryColumns} FROM jobs ${where} ORDER BY number DESC LIMIT ?`,
      );
      statement.setReadBigInts(true);
      return pageOf(statement.iterate(...values, limit + 1), limit);
    } catch {
      // One row may keep SQLite from reading on: a page of the file that is broken, or labels that are no JSON.
      return pageOf(listOneByOne(this.#database, filter, cursor), limit);
    }
  }

  async unfinished(): Promise<UnfinishedJob[]> {
    const states = unfinishedStates.join(",");
    const [first, last] = [JobState.PENDING, JobState.CANCELLED];
    // One whose state is none at all may be running.
    const ids = this.#statement(
      `SELECT job_id FROM jobs WHERE state IN (${states}) OR state < ${first} OR state > ${last} ORDER BY number`,
    );
    return ids.all().flatMap((row) => (typeof row.job_id === "string" ? this.#unfinished(row.job_id) : []));
  }

  #unfinished(jobId: string): UnfinishedJob[] {
    let row: Row | undefined;
    try {
      row = this.#row(jobId, `${smallColumns}, octet_length(given) AS given_bytes`);
      if (!row) return [];
      if (row.kept === "") row = this.#row(jobId, `${smallColumns}, given, octet_length(given) AS given_bytes`) ?? row;
      const { lost, ...record } = readRow(row);
      const isKnown = lost.every((part) => part.startsWith("kept:"));
      return [
        { record: withoutParams(record), bytes: number(row, "given_bytes"), lost: lost.join("; "), known: isKnown },
      ];
    } catch (error) {
      const what = messageOf(error);
      const job = lostJob(row ?? { job_id: jobId }, what);
      const fingerprint = typeof row?.fingerprint === "string" ? row.fingerprint : "";
      return [{ record: { job, given: nothingGiven, fingerprint, position: 0 }, bytes: 0, lost: what, known: false }];
    }
  }

  async fail(jobId: string): Promise<void> {
    orLost(jobId, () =>
      this.#run("UPDATE jobs SET state = ?, end_time = ? WHERE job_id = ?", JobState.FAILED, Date.now(), jobId),
    );
  }

  async ids(): Promise<Set<string> | undefined> {
    try {
      return new Set(
        this.#statement("SELECT job_id FROM jobs")
          .all()
          .map((row) => text(row, "job_id")),
      );
    } catch {
      return undefined;
    }
  }

  async endedBefore(time: number, limit: number): Promise<string[]> {
    const rows = this.#statement(
      "SELECT job_id, create_time, end_time, summary FROM jobs WHERE end_time < ? ORDER BY end_time",
    );
    const found: string[] = [];
    for (const row of rows.iterate(time)) {
      const end = endOf(row);
      if (end !== undefined && end < time) found.push(text(row, "job_id"));
      if (found.length === limit) break;
    }
    return found;
  }

  async delete(jobId: string): Promise<void> {
    this.#transaction(jobId, () => {
      this.#run("DELETE FROM events WHERE job_id = ?", jobId);
      this.#run("DELETE FROM jobs WHERE job_id = ?", jobId);
    });
  }

  examine(): Generator<StoreFault[], void, undefined> {
    return examine(this.#database);
  }

  async close(): Promise<void> {
    this.#own.close();
  }

  /** By its id, without the index where that is broken. */
  #row(jobId: string, columns = "*"): Row | undefined {
    try {
      return this.#statement(`SELECT ${columns} FROM jobs WHERE job_id = ?`).get(jobId);
    } catch (error) {
      if (!isBroken(error)) throw error;
      return this.#statement(`SELECT ${columns} FROM jobs NOT INDEXED WHERE job_id = ?`).get(jobId);
    }
  }

  /** Without what is given, which may be large and changes with the last event alone. */
  #save(record: JobRecord): void {
    const { job, position } = record;
    this.#run(
      "UPDATE jobs SET state = ?, end_time = ?, summary = ?, position = ? WHERE job_id = ?",
      job.state,
      endTimeOf(job),
      summaryOf(record),
      position,
      job.jobId,
    );
  }

  #saveGiven(record: JobRecord): void {
    const { jobId } = record.job;
    this.#run("UPDATE jobs SET given = ?, kept = ? WHERE job_id = ?", givenOf(record), keptOf(record), jobId);
  }

  #transaction(jobId: string, work: () => void): void {
    this.#run("BEGIN IMMEDIATE");
    try {
      work();
      this.#run("COMMIT");
    } catch (error) {
      // A commit that fails, on a full disk for one, may have ended the transaction itself.
      if (this.#database.isTransaction) this.#run("ROLLBACK");
      throw isBroken(error) ? dataLoss(jobId, messageOf(error)) : error;
    }
  }

  #run(sql: string, ...values: SQLInputValue[]) {
    return this.#statement(sql).run(...values);
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#database.prepare(sql);
    statement.setReadBigInts(true);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/** The first jobs of rows that come newest first. */
function pageOf(rows: Iterable<Row>, limit: number): JobPage {
  const jobs: Job[] = [];
  let bytes = 0;
  let last: number | undefined;
  for (const row of rows) {
    bytes += row.summary instanceof Uint8Array ? row.summary.length : 0;
    if (jobs.length === limit || (jobs.length > 0 && bytes > maxPageBytes)) return { jobs, cursor: last };
    jobs.push(shown(row));
    last = number(row, "number");
  }
  return { jobs, cursor: undefined };
}

function shown(row: Row): Job {
  try {
    return toSummary(row);
  } catch (error) {
    return lostJob(row, messageOf(error));
  }
}

/** What keeps a record from being read is DATA_LOSS of its job, but for what may pass, such as a disk that does not answer. */
function orLost<T>(jobId: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const passes = sqliteCodeOf(error) !== undefined && !isBroken(error);
    throw passes ? error : dataLoss(jobId, messageOf(error));
  }
}
