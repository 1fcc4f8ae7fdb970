import type { JobFilter } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { requestInvalid } from "../errors.ts";
import { fingerprint } from "../runner/fingerprint.ts";

/** How many a page has: 0 stands for the default, and too many for the most. REQUEST_INVALID when negative. */
export function listPage(asked: number, byDefault: number, most: number): number {
  if (asked < 0) throw requestInvalid("/page_size", "has to be 0 or more");
  return asked === 0 ? byDefault : Math.min(asked, most);
}

/** A token leads on only within the list that it was made for. */
export function writePageToken(cursor: number, filter: JobFilter | undefined): string {
  return Buffer.from(JSON.stringify([cursor, mark(filter)])).toString("base64url");
}

/** The cursor of a token; undefined for the first page. REQUEST_INVALID for a token of another list, or of none. */
export function readPageToken(token: string, filter: JobFilter | undefined): number | undefined {
  if (token === "") return undefined;
  const [cursor, made] = parse(token);
  if (typeof cursor !== "number" || !Number.isSafeInteger(cursor) || made !== mark(filter)) {
    throw requestInvalid("/page_token", "is not one that this list gave, with the same filter");
  }
  return cursor;
}

function mark(filter: JobFilter | undefined): string {
  return fingerprint(filter ?? null).slice(0, 16);
}

function parse(token: string): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
