import { randomUUID } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { join } from "node:path";

export interface SpillOptions {
  /** Where the files stand whose names are removed at once: nothing of them is left when this process ends. */
  dir: string;
  /** How much may stay in memory, in bytes; four times as much while it is being written. Default: 16 MiB. */
  memoryBytes?: number;
  /** How much is kept in all, in bytes; beyond it the oldest goes. Default: 1 GiB. */
  totalBytes?: number;
}

const chunkBytes = 256 * 1024;
/** How many times the limit may be in memory while it is being written. */
const patience = 4;
/** What goes at a time is this share of the whole. */
const maxParts = 16;
/** A position is the number of a chunk times this, and a place in it, which is below `chunkBytes`. */
const span = 2 * chunkBytes;

interface Chunk {
  part: Part;
  /** Undefined once it is in the file, or lost. */
  bytes: Buffer | undefined;
  used: number;
  /** Where it is in the file; undefined while it is in memory alone, or when it is lost. */
  offset: number | undefined;
}

/** Chunks that share a file, and go together. */
interface Part {
  first: number;
  chunks: Chunk[];
  bytes: number;
  file: Promise<FileHandle> | undefined;
  fileBytes: number;
}

/** Keeps bytes by position: the youngest in memory, older ones in files without a name. What cannot be written is lost, and said to be. */
export class Spill {
  readonly #dir: string;
  readonly #memoryBytes: number;
  readonly #totalBytes: number;
  /** Oldest first. */
  readonly #parts: Part[] = [];
  /** Those with bytes, oldest first. */
  readonly #loaded: Chunk[] = [];
  #nextChunk = 0;
  #inMemory = 0;
  #total = 0;
  #writing: Promise<void> | undefined;

  constructor({ dir, memoryBytes = 16 * 1024 ** 2, totalBytes = 1024 ** 3 }: SpillOptions) {
    this.#dir = dir;
    this.#memoryBytes = memoryBytes;
    this.#totalBytes = totalBytes;
  }

  /** Takes room for bytes, which `fill` writes, and returns their position. */
  append(length: number, fill: (room: Buffer) => void): number {
    const chunk = this.#room(length);
    const at = chunk.used;
    chunk.used += length;
    if (chunk.bytes) fill(chunk.bytes.subarray(at, at + length));
    const position = (this.#nextChunk - 1) * span + at;
    this.#keepWithin();
    return position;
  }

  /** The bytes at a position; undefined when they are no longer kept. */
  async read(position: number, length: number): Promise<Buffer | undefined> {
    const at = position % span;
    const number = (position - at) / span;
    const part = this.#parts.find(({ first, chunks }) => number >= first && number < first + chunks.length);
    const chunk = part?.chunks[number - part.first];
    if (part === undefined || chunk === undefined) return undefined;
    if (chunk.bytes) return chunk.bytes.subarray(at, at + length);
    if (chunk.offset === undefined) return undefined;
    try {
      const file = await part.file;
      const found = await file?.read(Buffer.allocUnsafe(length), 0, length, chunk.offset + at);
      return found?.bytesRead === length ? found.buffer : undefined;
    } catch {
      return undefined; // a disk that fails, or a part that went meanwhile
    }
  }

  /** Forgets what stands before a position, as far as whole parts go. */
  forget(before: number): void {
    while (this.#parts[0] && (this.#parts[0].first + this.#parts[0].chunks.length) * span <= before) this.#dropOldest();
  }

  /** In bytes. */
  get inMemory(): number {
    return this.#inMemory;
  }

  /** Where the next bytes will stand at the earliest. */
  get end(): number {
    return this.#nextChunk * span;
  }

  /** Resolves once what was too much for memory is written, or lost. */
  async written(): Promise<void> {
    await this.#writing;
  }

  async close(): Promise<void> {
    await this.written();
    while (this.#parts.length > 0) this.#dropOldest();
  }

  #room(length: number): Chunk {
    const last = this.#loaded.at(-1);
    if (last?.bytes && last.used + length <= last.bytes.length) return last;
    const bytes = Buffer.allocUnsafeSlow(Math.max(chunkBytes, length));
    const part = this.#partFor(bytes.length);
    const chunk = { part, bytes, used: 0, offset: undefined };
    part.chunks.push(chunk);
    part.bytes += bytes.length;
    this.#loaded.push(chunk);
    this.#nextChunk++;
    this.#inMemory += bytes.length;
    this.#total += bytes.length;
    return chunk;
  }

  #partFor(length: number): Part {
    const last = this.#parts.at(-1);
    if (last && last.bytes + length <= this.#totalBytes / maxParts) return last;
    const part = { first: this.#nextChunk, chunks: [], bytes: 0, file: undefined, fileBytes: 0 };
    this.#parts.push(part);
    return part;
  }

  #keepWithin(): void {
    while (this.#total > this.#totalBytes && this.#parts.length > 1) this.#dropOldest();
    if (this.#inMemory <= this.#memoryBytes) return;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
    // They come faster than the disk takes them, or it takes none.
    while (this.#inMemory > patience * this.#memoryBytes && this.#loaded.length > 1) this.#unload(this.#loaded[0]);
  }

  /** The youngest stays: it still grows. */
  async #write(): Promise<void> {
    while (this.#inMemory > this.#memoryBytes && this.#loaded.length > 1) {
      const [chunk] = this.#loaded;
      if (chunk?.bytes) await this.#save(chunk, chunk.bytes).catch(() => {}); // it is lost, and who asks for it is told
      this.#unload(chunk);
    }
  }

  async #save(chunk: Chunk, bytes: Buffer): Promise<void> {
    const { part, used } = chunk;
    part.file ??= openNameless(this.#dir);
    const file = await part.file.catch((error: unknown) => {
      part.file = undefined; // the next chunk may find room
      throw error;
    });
    const offset = part.fileBytes;
    part.fileBytes += used;
    for (let at = 0; at < used; ) at += (await file.write(bytes, at, used - at, offset + at)).bytesWritten;
    chunk.offset = offset;
  }

  #unload(chunk: Chunk | undefined): void {
    const at = chunk ? this.#loaded.indexOf(chunk) : -1;
    if (chunk?.bytes === undefined || at < 0) return;
    this.#loaded.splice(at, 1);
    this.#inMemory -= chunk.bytes.length;
    chunk.bytes = undefined;
  }

  #dropOldest(): void {
    const part = this.#parts.shift();
    if (part === undefined) return;
    for (const chunk of part.chunks) this.#unload(chunk);
    this.#total -= part.bytes;
    part.file?.then((file) => file.close()).catch(() => {}); // nothing of it is asked for any more
  }
}

async function openNameless(dir: string): Promise<FileHandle> {
  const path = join(dir, `answers.${randomUUID()}`);
  const file = await open(path, "wx+", 0o600);
  await unlink(path);
  return file;
}
