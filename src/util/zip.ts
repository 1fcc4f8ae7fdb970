import { promisify } from "node:util";
import { crc32, deflateRaw } from "node:zlib";

/** One file of an archive. */
export interface ZipEntry {
  /** With forward slashes. */
  name: string;
  content: Uint8Array;
  executable: boolean;
}

const compress = promisify(deflateRaw);

/** 1980-01-01, the first day that an archive knows. */
const firstDay = 0x21;
const utf8Names = 0x800;
const stored = 0;
const deflated = 8;
const madeByUnix = 0x031e;
const needsVersion = 20;

/**
 * Writes a ZIP archive piece by piece. The same entries in the same order make the same bytes: no time is written, and
 * of the permissions only whether a file can be executed. Below 4 GiB and 65,536 entries.
 */
export class ZipWriter {
  readonly #parts: Buffer[] = [];
  readonly #directory: Buffer[] = [];
  #size = 0;

  /** How many bytes there are so far. */
  get size(): number {
    return this.#size;
  }

  async add({ name, content, executable }: ZipEntry): Promise<void> {
    const packed = await compress(content, { level: 6 });
    const smaller = packed.length < content.length;
    const data = smaller ? packed : Buffer.from(content.buffer, content.byteOffset, content.byteLength);
    const path = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(needsVersion, 0);
    common.writeUInt16LE(utf8Names, 2);
    common.writeUInt16LE(smaller ? deflated : stored, 4);
    common.writeUInt16LE(0, 6);
    common.writeUInt16LE(firstDay, 8);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(path.length, 22);
    this.#directory.push(directoryEntry(common, path, this.#size, executable));
    this.#push(Buffer.from("PK\x03\x04"), common, path, data);
  }

  /** The whole archive. Nothing can be added afterwards. */
  end(): Buffer {
    const start = this.#size;
    this.#push(...this.#directory);
    const end = Buffer.alloc(18);
    end.writeUInt16LE(this.#directory.length, 4);
    end.writeUInt16LE(this.#directory.length, 6);
    end.writeUInt32LE(this.#size - start, 8);
    end.writeUInt32LE(start, 12);
    this.#push(Buffer.from("PK\x05\x06"), end);
    return Buffer.concat(this.#parts);
  }

  #push(...parts: Buffer[]): void {
    for (const part of parts) {
      this.#parts.push(part);
      this.#size += part.length;
    }
  }
}

function directoryEntry(common: Buffer, path: Buffer, offset: number, executable: boolean): Buffer {
  const head = Buffer.alloc(6);
  head.write("PK\x01\x02", "latin1");
  head.writeUInt16LE(madeByUnix, 4);
  const tail = Buffer.alloc(14);
  tail.writeUInt32LE((executable ? 0o100755 : 0o100644) * 0x10000, 6);
  tail.writeUInt32LE(offset, 10);
  return Buffer.concat([head, common, tail, path]);
}
