import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { markerOf, namesIn } from "../engine/embedded/environment-record.ts";
import { readClaim } from "../engine/embedded/job-directory.ts";
import { isTerminal, stateName } from "../job/job-state.ts";
import { examineRows, quickCheck } from "../job/store/examine.ts";
import { readRow, text } from "../job/store/job-row.ts";
import { missingEvents } from "../job/store/missing-events.ts";
import { walFault } from "../job/store/wal-faults.ts";
import { messageOf } from "../util/message-of.ts";
import { isDraft } from "../util/write-whole.ts";
import type { Finding } from "./doctor-checks.ts";

/** What is wrong with a data directory, and which of it a repair of the database mends. */
export interface DataDirFaults {
  findings: Finding[];
  database: boolean;
  /** Directories of jobs that no record knows; empty where not all records can be read. */
  strays: string[];
  /** What was being written when it was interrupted. */
  drafts: string[];
}

/** Looks at a data directory, and changes nothing in it. */
export function examineDataDir(dir: string): DataDirFaults {
  const faults: DataDirFaults = { findings: [], database: false, strays: [], drafts: [] };
  const file = join(dir, "jobs.sqlite");
  const bad = (subject: string, detail: string, state: Finding["state"] = "bad") =>
    faults.findings.push({ subject, state, detail });
  if (statSync(dir).mode & 0o077) bad("data directory", `others may enter it: chmod 700 ${dir}`, "poor");
  const states = existsSync(file) ? examineDatabase(file, bad, faults) : new Map<string, JobState>();
  if (!existsSync(file) && existsSync(join(dir, "jobs"))) bad("database", `${file} is gone`);
  examineJobs(join(dir, "jobs"), states, bad, faults);
  for (const name of namesIn(join(dir, "environments"))) {
    const folder = join(dir, "environments", name);
    if (statSync(folder).isDirectory() && markerOf(folder) === undefined)
      bad("environment", `${folder} is not complete; it is built again`, "poor");
  }
  if (faults.findings.length === 0) faults.findings.push({ subject: "data directory", state: "good", detail: dir });
  return faults;
}

type Tell = (subject: string, detail: string, state?: Finding["state"]) => void;

/** The states of the jobs by their ids; undefined where not all are known. */
function examineDatabase(file: string, bad: Tell, faults: DataDirFaults): Map<string, JobState> | undefined {
  const broken = (detail: string) => {
    faults.database = true;
    bad("database", detail);
  };
  const wal = existsSync(`${file}-wal`) ? walFault(`${file}-wal`) : undefined;
  if (wal !== undefined) broken(`${file}-wal: ${wal}`);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { readOnly: true });
    for (const table of ["jobs", "events"]) database.prepare(`SELECT 1 FROM ${table} LIMIT 1`).all();
    for (const { what } of quickCheck(database, "integrity_check")) broken(what);
    for (const { jobId, what } of [...examineRows(database)].flat())
      broken(jobId === "" ? what : `job ${jobId}: ${what}`);
    return statesOf(database, bad);
  } catch (error) {
    broken(`${file}: ${messageOf(error)}`);
    return undefined;
  } finally {
    database?.close();
  }
}

/** Of those that can be read; events that are not there are told. */
function statesOf(database: DatabaseSync, bad: Tell): Map<string, JobState> | undefined {
  const states = new Map<string, JobState>();
  const all = database.prepare("SELECT * FROM jobs ORDER BY number");
  all.setReadBigInts(true);
  const count = database.prepare("SELECT count(*) AS kept FROM events WHERE job_id = ?");
  for (const row of all.iterate()) {
    const jobId = text(row, "job_id");
    states.set(jobId, JobState.UNSPECIFIED);
    try {
      const { job } = readRow(row);
      states.set(jobId, job.state);
      const expected = job.lastSequence === 0n ? 0 : Number(job.lastSequence - job.oldestSequence) + 1;
      if (Number(count.get(jobId)?.kept) === expected) continue;
      const { ranges } = missingEvents(database, jobId, job.oldestSequence, job.lastSequence);
      if (ranges !== "")
        bad("events", `job ${jobId}: events ${ranges} are lost; nothing brings them back: delete the job`, "poor");
    } catch {
      // It is told as a record that cannot be read.
    }
  }
  return states;
}

function examineJobs(
  dir: string,
  states: ReadonlyMap<string, JobState> | undefined,
  bad: Tell,
  faults: DataDirFaults,
): void {
  const names = existsSync(dir) ? readdirSync(dir) : [];
  for (const name of names) {
    const path = join(dir, name);
    if (states && !states.has(name)) {
      faults.strays.push(path);
      bad(
        "directory",
        `${path} is of no job that the database knows; the next service ends its processes and sets it aside`,
      );
      continue;
    }
    if (!statSync(path).isDirectory()) {
      bad("directory", `${path} is not a directory`);
      continue;
    }
    const claim = readClaim(path);
    if (claim && "fault" in claim)
      bad("claim", `${join(path, "started")}: ${claim.fault}; the next service ends the job`, "poor");
    for (const draft of readdirSync(path).filter((each) => isDraft(each) || /^(spec\.json|started)\../.test(each))) {
      faults.drafts.push(join(path, draft));
      bad("draft", `${join(path, draft)} was left by a write that was interrupted`, "poor");
    }
  }
  for (const [jobId, state] of states ?? []) {
    const isGone = !names.includes(jobId) && (state === JobState.RUNNING || state === JobState.CANCELLING);
    if (isGone && !isTerminal(state))
      bad("directory", `job ${jobId} is ${stateName(state)} and has no directory; the next service ends it`, "poor");
  }
}
