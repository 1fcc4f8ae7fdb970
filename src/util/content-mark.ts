import { randomInt } from "node:crypto";
import { isObject } from "./is-object.ts";
import { finish, mix } from "./murmur.ts";

/** Nobody who does not know them can choose contents that share a mark. */
const seeds = [randomInt(2 ** 32), randomInt(2 ** 32)] as const;

/**
 * A mark of 64 bits for a value of JSON, bigints and numbers that are not finite included. Equal content has equal marks while
 * this process lives, in whatever order its names come; undefined is null in a list, and absent in an object. A digest needs
 * the names in order and a text of it all, and costs a call with a `request_id` twice as much of its time.
 */
export function contentMark(value: unknown): string {
  return seeds.map((seed) => markOf(value, seed).toString(36)).join(".");
}

/** Kinds begin differently, so that `"1"`, `1` and `[1]` do not look alike. */
const kinds = { literal: 1, number: 2, bigint: 3, string: 4, list: 5, object: 6 };

function markOf(value: unknown, seed: number): number {
  if (typeof value === "string") return ofText(value, seed ^ kinds.string);
  if (typeof value === "number") return ofNumber(value, seed ^ kinds.number);
  if (typeof value === "bigint") return ofText(String(value), seed ^ kinds.bigint);
  if (Array.isArray(value)) {
    let mark = seed ^ kinds.list;
    for (const item of value) mark = mix(mark, markOf(item, seed));
    return finish(mark ^ value.length);
  }
  if (!isObject(value)) return finish(mix(seed ^ kinds.literal, value === true ? 1 : value === false ? 2 : 3));
  // A sum does not depend on the order.
  let sum = seed ^ kinds.object;
  for (const name of Object.keys(value)) {
    const member = value[name];
    if (member !== undefined) sum = (sum + finish(mix(ofText(name, seed), markOf(member, seed)))) | 0;
  }
  return finish(sum);
}

function ofText(text: string, seed: number): number {
  let mark = seed;
  for (let at = 0; at < text.length; at += 2) mark = mix(mark, text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16));
  return finish(mark ^ text.length);
}

const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);

function ofNumber(value: number, seed: number): number {
  double[0] = value;
  return finish(mix(mix(seed, words[0] ?? 0), words[1] ?? 0));
}
