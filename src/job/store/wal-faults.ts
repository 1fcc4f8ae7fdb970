import { readFileSync } from "node:fs";

const headerBytes = 32;
const frameHeaderBytes = 24;

/**
 * What is wrong with a write-ahead log, whose last part SQLite passes over without a word where a frame before it is broken:
 * https://sqlite.org/fileformat2.html#walformat. Undefined where nothing is.
 */
export function walFault(file: string): string | undefined {
  const bytes = readFileSync(file);
  if (bytes.length === 0) return undefined;
  if (bytes.length < headerBytes) return `it was cut to ${bytes.length} bytes`;
  const magic = bytes.readUInt32BE(0);
  if (magic >>> 1 !== 0x377f0682 >>> 1) return "its head is broken: what it held is not read";
  const read = magic & 1 ? (at: number) => bytes.readUInt32BE(at) : (at: number) => bytes.readUInt32LE(at);
  let sum: readonly [number, number] = checksum(read, 0, 24, [0, 0]);
  if (!isSum(bytes, 24, sum)) return "the checksum of its head is wrong: what it held is not read";
  const pageBytes = bytes.readUInt32BE(8);
  const salt = bytes.subarray(16, 24);
  const frames = Math.floor((bytes.length - headerBytes) / (pageBytes + frameHeaderBytes));
  for (let index = 0; index < frames; index++) {
    const at = headerBytes + index * (pageBytes + frameHeaderBytes);
    // What is left of an earlier round.
    if (!bytes.subarray(at + 8, at + 16).equals(salt)) return laterFrames(bytes, salt, index, frames, pageBytes);
    sum = checksum(read, at + frameHeaderBytes, pageBytes, checksum(read, at, 8, sum));
    if (!isSum(bytes, at + 16, sum)) return `frame ${index + 1} is broken: it and what came after it are not read`;
  }
  return undefined;
}

/** Frames of this round behind one of another: that one was overwritten. */
function laterFrames(bytes: Buffer, salt: Buffer, from: number, frames: number, pageBytes: number): string | undefined {
  for (let index = from; index < frames; index++) {
    const at = headerBytes + index * (pageBytes + frameHeaderBytes);
    if (bytes.subarray(at + 8, at + 16).equals(salt))
      return `frame ${from + 1} is broken: it and what came after it are not read`;
  }
  return undefined;
}

function checksum(
  read: (at: number) => number,
  from: number,
  length: number,
  [first, second]: readonly [number, number],
): [number, number] {
  let [one, two] = [first, second];
  for (let at = from; at < from + length; at += 8) {
    one = (one + read(at) + two) >>> 0;
    two = (two + read(at + 4) + one) >>> 0;
  }
  return [one, two];
}

function isSum(bytes: Buffer, at: number, [one, two]: readonly [number, number]): boolean {
  return bytes.readUInt32BE(at) === one && bytes.readUInt32BE(at + 4) === two;
}
