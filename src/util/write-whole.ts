import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { link, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** What a file is called until it is whole: its name, and then this. */
const draftEnding = /\.[0-9a-f-]{36}\.draft$/;

/** Whether a name is that of a file that was not finished. Of such files nobody wants any, once their writer is gone. */
export function isDraft(name: string): boolean {
  return draftEnding.test(name);
}

/**
 * Writes a file for this user alone, in place of one that may be there. Whoever reads it sees the old text or the new one,
 * also after a power cut, and a write that fails leaves nothing behind.
 */
export async function writeWhole(file: string, text: string): Promise<void> {
  await withDraft(file, text, (draft) => rename(draft, file));
}

/** The same for a file that must not be there yet: throws EEXIST otherwise. Of several writers one succeeds. */
export async function createWhole(file: string, text: string): Promise<void> {
  await withDraft(file, text, (draft) => link(draft, file));
}

async function withDraft(file: string, text: string, place: (draft: string) => Promise<void>): Promise<void> {
  const draft = `${file}.${randomUUID()}.draft`;
  try {
    const handle = await open(draft, "wx", 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await place(draft);
  } finally {
    await rm(draft, { force: true });
  }
  await syncDirectory(dirname(file));
}

/** Makes what was created, renamed and removed in a directory last. */
async function syncDirectory(dir: string): Promise<void> {
  if (process.platform === "win32") return; // where a directory is no file
  const handle = await open(dir, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
