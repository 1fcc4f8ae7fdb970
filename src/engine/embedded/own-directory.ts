import { randomUUID } from "node:crypto";
import { lstatSync, mkdirSync } from "node:fs";
import { cp, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { ErrorRecord } from "../../errors.ts";
import { hasCode } from "../../util/has-code.ts";
import type { Log } from "../../util/log.ts";
import { type Place, placeOf } from "../../util/place.ts";
import { worksIn } from "../../util/process.ts";
import {
  forgetGiven,
  isInUse,
  type JobMark,
  nobody,
  readClaim,
  readMark,
  readSpec,
  removeDrafts,
  writeClaim,
  writeMark,
} from "./job-directory.ts";
import { isAlive, isInPlace, killJobIn } from "./job-processes.ts";

/**
 * Sees to it that the directory of a job, if there is one, is of this record and of no other, and that no process is taken for
 * the job's that is not. What is of another record, or of none, is set aside.
 * @param fresh the job was just submitted: nothing can have been started for it by an earlier service
 */
export async function ownDirectory(
  dir: string,
  record: string,
  options: { fresh: boolean; aside: string; log: Log },
): Promise<void> {
  const place = placeOf(dir);
  if (place) {
    const mark = readMark(dir);
    if (mark?.record === record) return isInPlace(dir, mark) ? removeDrafts(dir) : detach(dir, mark, place);
    if (!mark && !isInUse(dir)) return;
    if (!mark && !options.fresh) return adopt(dir, record, place);
  }
  if (exists(dir)) await setAside([dir], options);
}

/**
 * Moves directories out of the way, of which no record is known or that of another job: what their processes do is nobody's
 * any more, and ends. What they were given may be secret, and is removed.
 */
export async function setAside(dirs: readonly string[], { aside, log }: { aside: string; log: Log }): Promise<void> {
  if (dirs.length === 0) return;
  let ended = 0;
  for (const dir of dirs) {
    if (placeOf(dir)) {
      if (killJobIn(dir)) ended++;
      await forgetGiven(dir);
    }
    mkdirSync(aside, { recursive: true, mode: 0o700 });
    await move(dir, join(aside, `${basename(dir)}.${randomUUID()}`));
  }
  log("warn", "directories of jobs of which the database knows nothing were set aside, and their processes ended", {
    jobs: dirs.slice(0, 20).map((dir) => basename(dir)),
    count: dirs.length,
    processes_ended: ended,
    moved_to: aside,
  });
}

/** The directory of jobs may be a link to another disk. */
async function move(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!hasCode(error, "EXDEV")) throw error;
    await cp(from, to, { recursive: true });
    await rm(from, { recursive: true, force: true });
  }
}

/** A directory that says nothing of its record, as earlier versions left them, of a job that has not ended. */
async function adopt(dir: string, record: string, place: Place): Promise<void> {
  const claim = readClaim(dir);
  const alive = claim !== undefined && !("fault" in claim) && isAlive(claim) ? claim.pid : undefined;
  const mark = { record, place, path: dir, scope: "", timeout_seconds: null };
  if (alive === undefined) return writeMark(dir, mark);
  if (!worksIn(alive, dir)) return detach(dir, mark, place);
  await writeMark(dir, { ...mark, scope: readSpec(dir)?.scope ?? "" });
}

/** Nothing that is alive belongs to a copy, or to a directory of an earlier life of the machine: only its files count. */
async function detach(dir: string, mark: JobMark, place: Place): Promise<void> {
  const claim = readClaim(dir);
  if (claim === undefined) {
    // Nothing has started here.
    await rm(dir, { recursive: true, force: true });
    return;
  }
  await forgetGiven(dir);
  await writeClaim(dir, nobody);
  const lost = mark.lost ?? (mark.place.boot === place.boot ? copied(mark, dir) : restarted());
  await writeMark(dir, { ...mark, place, path: dir, scope: "", lost });
}

function copied({ path }: JobMark, dir: string): ErrorRecord {
  if (path === dir) {
    const message =
      "The job's files were copied, or moved to another file system, while it ran: its process, if it lives, belongs to the original files, and was left alone.";
    return { reason: "WORKER_LOST", message, metadata: {} };
  }
  const original = dirname(dirname(path));
  const message = `This data directory is a copy of ${original}: the job is carried there, if at all, and was left alone.`;
  return { reason: "WORKER_LOST", message, metadata: { original } };
}

function restarted(): ErrorRecord {
  const message = "The machine was restarted while the job ran, or its files were brought to another one.";
  return { reason: "WORKER_LOST", message, metadata: {} };
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
