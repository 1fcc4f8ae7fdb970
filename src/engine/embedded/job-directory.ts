import { existsSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ErrorRecord } from "../../errors.ts";
import { hasCode } from "../../util/has-code.ts";
import { isObject } from "../../util/is-object.ts";
import { jsonText } from "../../util/json-text.ts";
import type { Place } from "../../util/place.ts";
import { readJsonFile } from "../../util/small-file.ts";
import { createWhole, isDraft, writeWhole } from "../../util/write-whole.ts";
import type { JobSpec, ProcessIdentity } from "../../worker/messages.ts";

/** What stands in a job's directory: see docs/protocol.md. */
export const files = {
  mark: "job.json",
  spec: "spec.json",
  started: "started",
  events: "events.jsonl",
  work: "work",
} as const;

/** `job.json`: whose the directory is. Nothing of it is secret, and it stays until the job is deleted. */
export interface JobMark {
  /** Stands for the record of the job in the service's database: a later submission of the same id has another. */
  record: string;
  /** Where the directory was made: in a copy of it nothing is carried. */
  place: Place;
  /** What it was called there. */
  path: string;
  /** The mark of all processes that the job's child starts; empty where that is not known. */
  scope: string;
  timeout_seconds: number | null;
  /** Why nobody carries the job any more, where the service knows. */
  lost?: ErrorRecord;
}

/** No process has this pid. */
export const nobody: ProcessIdentity = { pid: 0, start_time: "none" };

/** Who has claimed a job: a process, `nobody`, or who wrote something that cannot be read, and then why not. */
export type Claim = ProcessIdentity | { fault: string };

/** Undefined where there is none, or none that can be read. */
export function readMark(dir: string): JobMark | undefined {
  const found = readJsonFile(join(dir, files.mark));
  return found && "value" in found && isMark(found.value) ? found.value : undefined;
}

/** Marks a directory that has no mark that can be read. Of several services that do so one succeeds: returns its mark. */
export async function createMark(dir: string, mark: JobMark): Promise<JobMark> {
  try {
    await createWhole(join(dir, files.mark), jsonText(mark));
    return mark;
  } catch (error) {
    const there = hasCode(error, "EEXIST") ? readMark(dir) : undefined;
    if (there) return there;
    if (!hasCode(error, "EEXIST")) throw error;
    await writeMark(dir, mark);
    return mark;
  }
}

/** Says why nobody carries a job any more, for whoever asks how it ended. */
export async function noteLost(dir: string, lost: ErrorRecord): Promise<void> {
  const mark = readMark(dir);
  if (mark) await writeMark(dir, { ...mark, lost });
}

export async function writeMark(dir: string, mark: JobMark): Promise<void> {
  await clearedFor(join(dir, files.mark), (file) => writeWhole(file, jsonText(mark)));
}

/** Undefined where nobody has claimed the job. */
export function readClaim(dir: string): Claim | undefined {
  const found = readJsonFile(join(dir, files.started));
  if (found === undefined || "fault" in found) return found;
  return isIdentity(found.value) ? found.value : { fault: "it names no process" };
}

/** Puts a claim in place of whatever stands there. */
export async function writeClaim(dir: string, identity: ProcessIdentity): Promise<void> {
  await clearedFor(join(dir, files.started), (file) => writeWhole(file, JSON.stringify(identity)));
}

/** Claims a job that no process has claimed, so that none does later. Returns who has it then. */
export async function claimForNobody(dir: string): Promise<Claim> {
  try {
    await createWhole(join(dir, files.started), JSON.stringify(nobody));
  } catch (error) {
    // Without a directory there is nothing that a process could start from.
    if (!hasCode(error, "ENOENT", "ENOTDIR", "EEXIST")) throw error;
  }
  return readClaim(dir) ?? nobody;
}

/** Undefined where there is none, or none that a process could start from. */
export function readSpec(dir: string): Pick<JobSpec, "job_id" | "scope"> | undefined {
  const found = readJsonFile(join(dir, files.spec));
  const { job_id, scope } = found && "value" in found && isObject(found.value) ? found.value : {};
  return typeof job_id === "string" && typeof scope === "string" ? { job_id, scope } : undefined;
}

/** The spec may hold secrets, and must never be seen half written. */
export async function writeSpec(dir: string, spec: JobSpec): Promise<void> {
  await clearedFor(join(dir, files.spec), (file) => writeWhole(file, jsonText(spec)));
}

/** Makes the directory that a job works in, in place of whatever stands there and is none. */
export async function makeWork(dir: string): Promise<void> {
  const work = join(dir, files.work);
  const make = () => mkdir(work, { recursive: true, mode: 0o700 });
  try {
    await make();
  } catch (error) {
    if (!hasCode(error, "EEXIST", "ENOENT", "ELOOP")) throw error;
    await rm(work, { force: true });
    await make();
  }
}

/** Whether a process may have been started from what stands in a directory. */
export function isInUse(dir: string): boolean {
  return [files.started, files.spec, files.events].some((name) => existsSync(join(dir, name)));
}

/** Removes what a job was given, which may be secret, and what is left of writes that failed. */
export async function forgetGiven(dir: string): Promise<void> {
  await rm(join(dir, files.spec), { recursive: true, force: true });
  await removeDrafts(dir);
}

/** Removes what is left of writes that failed. A claim may be about to be made, as long as there is none. */
export async function removeDrafts(dir: string): Promise<void> {
  const claimed = existsSync(join(dir, files.started));
  for (const name of await namesIn(dir)) {
    const left =
      isDraft(name) || name.startsWith(`${files.spec}.`) || (claimed && name.startsWith(`${files.started}.`));
    if (left) await rm(join(dir, name), { force: true });
  }
}

async function namesIn(dir: string): Promise<string[]> {
  return readdir(dir).catch((error: unknown) => {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  });
}

/** A file can take the place of a file, and of nothing else. */
async function clearedFor(file: string, write: (file: string) => Promise<void>): Promise<void> {
  try {
    await write(file);
  } catch (error) {
    if (!hasCode(error, "EISDIR", "ENOTEMPTY", "EEXIST")) throw error;
    await rm(file, { recursive: true, force: true });
    await write(file);
  }
}

function isIdentity(value: unknown): value is ProcessIdentity {
  if (!isObject(value)) return false;
  const { pid, start_time } = value;
  if (typeof pid !== "number" || !Number.isSafeInteger(pid) || typeof start_time !== "string") return false;
  return pid > 1 || pid === nobody.pid;
}

function isMark(value: unknown): value is JobMark {
  if (!isObject(value) || !isObject(value.place)) return false;
  const { boot, device, inode, born } = value.place;
  const texts = [value.record, value.path, value.scope, boot, device, inode, born];
  const { timeout_seconds: timeout } = value;
  return texts.every((one) => typeof one === "string") && (timeout === null || typeof timeout === "number");
}
