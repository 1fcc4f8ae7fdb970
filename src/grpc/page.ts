import type { JobFilter } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { type PluginRunnerError, requestInvalid } from "../errors.ts";
import { fingerprint } from "../runner/fingerprint.ts";
import { compareText } from "../util/compare-text.ts";

/** How many a page has: 0 stands for the default, and too many for the most. REQUEST_INVALID when negative. */
export function listPage(asked: number, byDefault: number, most: number): number {
  if (asked < 0) throw requestInvalid("/page_size", "has to be 0 or more");
  return asked === 0 ? byDefault : Math.min(asked, most);
}

/** A token leads on only within the list that it was made for. */
export function writePageToken(cursor: number | string, filter: JobFilter | undefined): string {
  return Buffer.from(JSON.stringify([cursor, mark(filter)])).toString("base64url");
}

/** The cursor of a token; undefined for the first page. REQUEST_INVALID for a token of another list, or of none. */
export function readPageToken(token: string, filter: JobFilter | undefined): number | undefined {
  if (token === "") return undefined;
  const [cursor, made] = parse(token);
  if (typeof cursor !== "number" || !Number.isSafeInteger(cursor) || made !== mark(filter)) throw foreignToken();
  return cursor;
}

/**
 * A page of a list that is in the order of its keys, and the token of the next one. The token holds the last key of the
 * page: what is added or removed meanwhile makes nobody see an item twice, or miss one that was there all the time.
 */
export function pageByKey<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
  token: string,
  size: number,
): { page: Item[]; nextPageToken: string } {
  const after = token === "" ? undefined : keyOfToken(token);
  const from = after === undefined ? 0 : items.findIndex((item) => compareText(keyOf(item), after) > 0);
  const page = from < 0 ? [] : items.slice(from, from + size);
  const last = page.at(-1);
  const isWhole = last === undefined || last === items.at(-1);
  return { page, nextPageToken: isWhole ? "" : writePageToken(keyOf(last), undefined) };
}

function keyOfToken(token: string): string {
  const [key, made] = parse(token);
  if (typeof key !== "string" || made !== mark(undefined)) throw foreignToken();
  return key;
}

function foreignToken(): PluginRunnerError {
  return requestInvalid("/page_token", "is not one that this list gave, with the same filter");
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
