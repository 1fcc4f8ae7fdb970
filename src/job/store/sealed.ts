import { crc32 } from "node:zlib";

/**
 * What is kept ends with a checksum, so that what a disk or a stray write made of it is not taken for what was kept. Bytes
 * end with a mark that no encoded message can have (a field of a type that there is not), so that neither a broken mark nor
 * a missing one goes unnoticed; records of the first version have none.
 */
const mark = [0x07, 0x43, 0x52, 0x43] as const;
export const sealLength = mark.length + 4;
const textSeal = /\n([0-9a-f]{8})$/;

/** Goes into the checksums of all that belongs to a job, so that nothing of another one is taken for it. */
export function keyOf(jobId: string): number {
  return crc32(jobId);
}

export function seal(bytes: Uint8Array, key: number): Uint8Array {
  const sealed = Buffer.allocUnsafe(bytes.length + sealLength);
  sealed.set(bytes);
  sealed.set(mark, bytes.length);
  sealed.writeUInt32LE(crc32(bytes, key >>> 0), bytes.length + mark.length);
  return sealed;
}

/**
 * What was sealed. Throws when it is not what it was. What was not `checked` is of the first version, or its mark is broken:
 * it has to be decoded before it is taken for anything.
 */
export function unseal(sealed: Uint8Array, key: number): { bytes: Uint8Array; checked: boolean } {
  const end = sealed.length - sealLength;
  if (end < 0 || mark.some((byte, at) => sealed[end + at] !== byte)) return { bytes: sealed, checked: false };
  const bytes = sealed.subarray(0, end);
  const view = new DataView(sealed.buffer, sealed.byteOffset, sealed.length);
  if (view.getUint32(end + mark.length, true) !== crc32(bytes, key >>> 0)) throw new Error("its checksum is wrong");
  return { bytes, checked: true };
}

export function sealText(text: string, key: number): string {
  return `${text}\n${crc32(text, key).toString(16).padStart(8, "0")}`;
}

/** The opposite of `sealText`: throws when the text is not what it was. A text of the first version is returned as it is. */
export function unsealText(sealed: string, key: number): string {
  const found = textSeal.exec(sealed);
  if (!found) return sealed;
  const text = sealed.slice(0, found.index);
  if (Number.parseInt(found[1] ?? "", 16) !== crc32(text, key)) throw new Error("its checksum is wrong");
  return text;
}
