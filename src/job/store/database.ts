import { mkdirSync, truncateSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { sqliteCodeOf } from "../../util/storage-code.ts";
import { isBroken } from "./data-loss.ts";

export const schema = `
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
    position INTEGER NOT NULL,
    kept TEXT NOT NULL DEFAULT ''
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
const tables = {
  jobs: "number, job_id, state, plugin, action, labels, create_time, end_time, summary, params, result, given, fingerprint, position, kept",
  events: "job_id, sequence, bytes",
};
/** 2: what is written ends with a checksum, and `kept` is a part of `given`; what the first version wrote is read without. */
const schemaVersion = 2;

/** SQLITE_BUSY: https://sqlite.org/rescode.html#busy. */
const busy = 5;

/** A database that only this process writes to, until it is closed. Others may read it. */
export interface OwnDatabase {
  database: DatabaseSync;
  close(): void;
}

/**
 * Opens a file of jobs, or makes it. Throws when another process has it, when it is of a later version, and when it is
 * no database any more.
 * @param patienceMs how long to wait for a process that is about to let go of it
 */
export function openDatabase(file: string, patienceMs = 5000): OwnDatabase {
  if (file === ":memory:") return { database: prepared(new DatabaseSync(file)), close() {} };
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const release = lock(file, patienceMs);
  try {
    const database = prepared(new DatabaseSync(file, { timeout: patienceMs }));
    return {
      database,
      close() {
        database.close();
        release();
      },
    };
  } catch (error) {
    release();
    throw sqliteCodeOf(error) === busy ? inUse(file, error) : error;
  }
}

/**
 * Keeps every other service away from a file, and leaves it to readers, such as a backup. The lock is a database of its own
 * beside it, which goes with the process. Throws when another process has it.
 */
export function lock(file: string, patienceMs: number): () => void {
  const guard = new DatabaseSync(lockOf(file), { timeout: patienceMs });
  try {
    guard.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return () => guard.close();
  } catch (error) {
    guard.close();
    if (!isBroken(error)) throw sqliteCodeOf(error) === busy ? inUse(file, error) : error;
    // It holds nothing: what somebody else wrote there is not worth a refusal.
    truncateSync(lockOf(file));
    return lock(file, patienceMs);
  }
}

export function lockOf(file: string): string {
  return `${file}.lock`;
}

function prepared(database: DatabaseSync): DatabaseSync {
  try {
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN IMMEDIATE");
    const row = database.prepare("PRAGMA user_version").get();
    const version = Number(row?.user_version ?? 0);
    if (version > schemaVersion) throw new Error(`The database is of a later version of this program (${version}).`);
    if (version === 1) database.exec("ALTER TABLE jobs ADD COLUMN kept TEXT NOT NULL DEFAULT ''");
    database.exec(`${schema} PRAGMA user_version = ${schemaVersion}; COMMIT;`);
    for (const [table, columns] of Object.entries(tables)) database.prepare(`SELECT ${columns} FROM ${table}`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function inUse(file: string, cause: unknown): Error {
  return new Error(`Another server uses ${file}: end that one, or take another directory.`, { cause });
}
