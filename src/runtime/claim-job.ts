import { closeSync, existsSync, fsyncSync, linkSync, openSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { hasCode } from "../util/has-code.ts";
import { messageOf } from "../util/message-of.ts";
import { startTime } from "../util/process.ts";
import type { ProcessIdentity } from "../worker/messages.ts";
import { retryMs } from "./patient-file.ts";

/**
 * Makes this process the one that carries the job of a directory. False when another one does, or that is gone. Waits
 * where the disk has no room.
 */
export async function claimJob(dir: string): Promise<boolean> {
  const started = join(dir, "started");
  for (let tries = 1; !existsSync(started); tries++) {
    try {
      link(started);
      return true;
    } catch (error) {
      if (hasCode(error, "EEXIST", "ENOENT")) return false;
      if (tries === 1) process.stderr.write(`The job waits to be claimed: ${messageOf(error)}\n`);
      await delay(retryMs);
    }
  }
  return false;
}

/** Whole, on the disk, and only once. */
function link(started: string): void {
  const identity: ProcessIdentity = { pid: process.pid, start_time: startTime(process.pid) ?? "" };
  const draft = `${started}.${process.pid}`;
  try {
    writeWhole(draft, JSON.stringify(identity));
    linkSync(draft, started);
  } finally {
    rmSync(draft, { force: true });
  }
  syncDirectory(dirname(started));
}

function writeWhole(file: string, text: string): void {
  const fd = openSync(file, "w", 0o600);
  try {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The claim holds without it, but for a loss of power. */
function syncDirectory(dir: string): void {
  try {
    const fd = openSync(dir, "r");
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch {
    // Some file systems cannot.
  }
}
