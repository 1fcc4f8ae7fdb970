import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Job, type JobFilter, JobSchema } from "../../../gen/ts/pluginrunner/v1/job_pb.ts";
import { jsonText } from "../../util/json-text.ts";
import { isTerminal, unfinishedStates } from "../job-state.ts";
import { summary } from "../job-summary.ts";
import type { Given, JobPage, JobRecord, JobStore, StoredEvent } from "./job-store.ts";

const schema = `
  CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT NOT NULL UNIQUE,
    state INTEGER NOT NULL,
    plugin TEXT NOT NULL,
    action TEXT NOT NULL,
    labels TEXT NOT NULL,
    create_time INTEGER NOT NULL,
    end_time INTEGER,
    summary BLOB NOT NULL,
    params BLOB NOT NULL,
    result BLOB,
    given TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    position INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, number);
  CREATE INDEX IF NOT EXISTS jobs_by_end ON jobs (end_time);
  CREATE TABLE IF NOT EXISTS events (
    job_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (job_id, sequence)
  ) STRICT, WITHOUT ROWID;
`;
const schemaVersion = 1;

/** A page of jobs has to fit into a message: it may have fewer than were asked for. */
const maxPageBytes = 1024 * 1024;

/**
 * Keeps jobs in one SQLite file, which it locks: one server to a file. Throws when another one has it, or when the file
 * is of a later version. The times are in milliseconds since 1970.
 */
export function openSqliteStore(file: string): JobStore {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  return new SqliteStore(openDatabase(file));
}

function openDatabase(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 5000 });
  try {
    // In exclusive mode the lock is held for good from the first write on, and no shared memory is needed.
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
    database.exec("BEGIN IMMEDIATE");
    const row = database.prepare("PRAGMA user_version").get();
    const version = Number(row?.user_version ?? 0);
    if (version > schemaVersion) throw new Error(`${file} is of a later version of this program (${version}).`);
    database.exec(`${schema} PRAGMA user_version = ${schemaVersion}; COMMIT;`);
    return database;
  } catch (error) {
    database.close();
    if (!isLocked(error)) throw error;
    throw new Error(`Another server uses ${file}: end that one, or take another folder.`, { cause: error });
  }
}

/** SQLITE_BUSY: https://sqlite.org/rescode.html#busy. */
function isLocked(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === 5;
}

class SqliteStore implements JobStore {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  async insert(record: JobRecord): Promise<boolean> {
    const { job } = record;
    const { changes } = this.#run(
      `INSERT INTO jobs (job_id, state, plugin, action, labels, create_time, end_time, summary, params, result, given,
        fingerprint, position) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
      job.jobId,
      job.state,
      job.plugin,
      job.action,
      JSON.stringify(job.labels),
      job.createTime ? timestampMs(job.createTime) : 0,
      job.endTime ? timestampMs(job.endTime) : null,
      toBinary(JobSchema, summary(job)),
      paramsOf(job),
      resultOf(job) ?? null,
      given(record),
      record.fingerprint,
      record.position,
    );
    return changes === 1;
  }

  async get(jobId: string): Promise<JobRecord | undefined> {
    const row = this.#statement("SELECT * FROM jobs WHERE job_id = ?").get(jobId);
    return row && toRecord(row);
  }

  async append(record: JobRecord, events: readonly StoredEvent[]): Promise<void> {
    this.#transaction(() => {
      const { job } = record;
      for (const event of events) {
        this.#run("INSERT INTO events VALUES (?, ?, ?)", job.jobId, event.sequence, event.bytes);
      }
      this.#save(record);
      if (isTerminal(job.state)) this.#run("UPDATE jobs SET given = ? WHERE job_id = ?", given(record), job.jobId);
      const result = resultOf(job);
      if (result) this.#run("UPDATE jobs SET result = ? WHERE job_id = ?", result, job.jobId);
    });
  }

  async settle(record: JobRecord): Promise<void> {
    const { job } = record;
    this.#transaction(() => {
      this.#save(record);
      this.#run("UPDATE jobs SET given = ?, params = ? WHERE job_id = ?", given(record), paramsOf(job), job.jobId);
    });
  }

  async events(jobId: string, after: bigint, limit: number, maxBytes: number): Promise<StoredEvent[]> {
    const found: StoredEvent[] = [];
    let bytes = 0;
    const rows = this.#statement(
      "SELECT sequence, bytes FROM events WHERE job_id = ? AND sequence > ? ORDER BY sequence LIMIT ?",
    ).iterate(jobId, after, limit);
    for (const row of rows) {
      const event = { sequence: BigInt(number(row, "sequence")), bytes: blob(row, "bytes") };
      bytes += event.bytes.length;
      if (found.length > 0 && bytes > maxBytes) break;
      found.push(event);
    }
    return found;
  }

  async trim(record: JobRecord, before: bigint): Promise<void> {
    this.#transaction(() => {
      this.#run("DELETE FROM events WHERE job_id = ? AND sequence < ?", record.job.jobId, before);
      this.#save(record);
    });
  }

  async list(filter: JobFilter | undefined, limit: number, cursor: number | undefined): Promise<JobPage> {
    const { where, values } = conditions(filter, cursor);
    const rows = this.#database
      .prepare(`SELECT number, summary FROM jobs ${where} ORDER BY number DESC LIMIT ?`)
      .iterate(...values, limit + 1);
    const jobs: Job[] = [];
    let bytes = 0;
    let last: number | undefined;
    for (const row of rows) {
      const encoded = blob(row, "summary");
      bytes += encoded.length;
      if (jobs.length === limit || (jobs.length > 0 && bytes > maxPageBytes)) return { jobs, cursor: last };
      jobs.push(fromBinary(JobSchema, encoded));
      last = number(row, "number");
    }
    return { jobs, cursor: undefined };
  }

  async unfinished(): Promise<JobRecord[]> {
    const states = unfinishedStates.join(",");
    return this.#statement(`SELECT * FROM jobs WHERE state IN (${states}) ORDER BY number`).all().map(toRecord);
  }

  async ids(): Promise<Set<string>> {
    return new Set(
      this.#statement("SELECT job_id FROM jobs")
        .all()
        .map((row) => text(row, "job_id")),
    );
  }

  async endedBefore(time: number, limit: number): Promise<string[]> {
    const rows = this.#statement("SELECT job_id FROM jobs WHERE end_time < ? ORDER BY end_time LIMIT ?").all(
      time,
      limit,
    );
    return rows.map((row) => text(row, "job_id"));
  }

  async delete(jobId: string): Promise<void> {
    this.#transaction(() => {
      this.#run("DELETE FROM events WHERE job_id = ?", jobId);
      this.#run("DELETE FROM jobs WHERE job_id = ?", jobId);
    });
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  /** Without what is given, which may be large and changes with the last event alone. */
  #save({ job, position }: JobRecord): void {
    this.#run(
      "UPDATE jobs SET state = ?, end_time = ?, summary = ?, position = ? WHERE job_id = ?",
      job.state,
      job.endTime ? timestampMs(job.endTime) : null,
      toBinary(JobSchema, summary(job)),
      position,
      job.jobId,
    );
  }

  #transaction(work: () => void): void {
    this.#run("BEGIN IMMEDIATE");
    try {
      work();
      this.#run("COMMIT");
    } catch (error) {
      // A commit that fails, on a full disk for one, may have ended the transaction itself.
      if (this.#database.isTransaction) this.#run("ROLLBACK");
      throw error;
    }
  }

  #run(sql: string, ...values: SQLInputValue[]) {
    return this.#statement(sql).run(...values);
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

function conditions(filter: JobFilter | undefined, cursor: number | undefined) {
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

function given({ given: { params, env, files, environment, unchecked } }: JobRecord): string {
  const plain = { params: params.value, non_finite: params.nonFinite, env };
  const { bySchema: by_schema = false } = unchecked ?? {};
  const kept = { ...(files !== undefined && { files }), ...(environment !== undefined && { environment }) };
  return jsonText({ ...plain, ...kept, ...(unchecked && { unchecked: { by_schema } }) });
}

function readGiven(written: string): Given {
  const { params, non_finite: nonFinite = [], env, files, environment, unchecked } = JSON.parse(written);
  return {
    params: { value: params, nonFinite },
    env,
    ...(files !== undefined && { files }),
    ...(environment !== undefined && { environment }),
    ...(unchecked && { unchecked: { bySchema: unchecked.by_schema } }),
  };
}

function paramsOf({ params, nonFiniteParams }: Job): Uint8Array {
  return toBinary(JobSchema, create(JobSchema, { ...(params && { params }), nonFiniteParams }));
}

/** What the job gave, all of it or what can be carried. Undefined where it gave nothing. */
function resultOf({ result, nonFiniteResult, error }: Job): Uint8Array | undefined {
  if (result) return toBinary(JobSchema, create(JobSchema, { result, nonFiniteResult }));
  const { partialResult, nonFinite } = error ?? {};
  if (!partialResult || !nonFinite) return undefined;
  return toBinary(JobSchema, create(JobSchema, { error: { partialResult, nonFinite } }));
}

/** Fields of one message may be divided over several encodings: read one after another they make the whole. */
function toRecord(row: Record<string, SQLOutputValue>): JobRecord {
  const parts = [blob(row, "summary"), blob(row, "params"), ...(row.result === null ? [] : [blob(row, "result")])];
  return {
    job: fromBinary(JobSchema, Buffer.concat(parts)),
    given: readGiven(text(row, "given")),
    fingerprint: text(row, "fingerprint"),
    position: number(row, "position"),
  };
}

function text(row: Record<string, SQLOutputValue>, name: string): string {
  return String(row[name]);
}

function number(row: Record<string, SQLOutputValue>, name: string): number {
  return Number(row[name]);
}

function blob(row: Record<string, SQLOutputValue>, name: string): Uint8Array {
  const value = row[name];
  if (value instanceof Uint8Array) return value;
  throw new Error(`The column ${name} is not binary.`);
}
