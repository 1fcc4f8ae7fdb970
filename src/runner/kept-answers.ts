import { fromErrorRecord, PluginRunnerError, toErrorRecord } from "../errors.ts";
import { Spill, type SpillOptions } from "../util/spill.ts";
import { hashText, TextIndex } from "../util/text-index.ts";

export interface KeptAnswersOptions extends SpillOptions {
  /** How long an answer is kept at least, in milliseconds. */
  keptMs: number;
  /** How many ids are remembered at a time: 16 to 64 bytes each. Default: 8 million. */
  maxIds?: number;
  now?: () => number;
}

export type Answer = Uint8Array | PluginRunnerError;

/** What is known of an id: its run's fingerprint and answer, or that it has run and its answer is no longer kept. */
export type Known = { fingerprint: string; answer: Answer } | "gone";

/** Ids are forgotten a generation at a time: each is kept for a quarter longer at most. */
const generationShare = 0.25;
/** What nobody asks for goes, too. */
const expiryMs = 60_000;
/** The length of what follows, that of the id, that of the fingerprint, whether it is an error. */
const headBytes = 4 + 2 + 2 + 1;

interface Generation {
  since: number;
  /** Where its first answer is kept, or a later one's place. */
  start: number;
  positions: TextIndex;
}

/**
 * Remembers the answers of runs by their ids, in little memory: old and large ones are on disk. No id is forgotten before
 * its time; of an answer that could not be kept it is still known that it was given.
 */
export class KeptAnswers {
  readonly #spill: Spill;
  readonly #keptMs: number;
  readonly #maxIds: number;
  readonly #now: () => number;
  readonly #expiry: NodeJS.Timeout;
  /** Youngest first. */
  #generations: Generation[] = [];

  constructor({ keptMs, maxIds = 8_000_000, now = () => performance.now(), ...spill }: KeptAnswersOptions) {
    this.#spill = new Spill(spill);
    this.#keptMs = keptMs;
    this.#maxIds = maxIds;
    this.#now = now;
    this.#expiry = setInterval(() => this.#expire(), expiryMs).unref();
  }

  /** Where no more ids can be remembered: how long until some are forgotten, in milliseconds. */
  get fullForMs(): number | undefined {
    let ids = 0;
    for (const { positions } of this.#generations) ids += positions.size;
    const oldest = this.#generations.at(-1);
    if (ids < this.#maxIds || oldest === undefined) return undefined;
    return Math.max(1, this.#endOf(oldest) - this.#now());
  }

  has(id: string): boolean {
    return this.#position(id) !== undefined;
  }

  async get(id: string): Promise<Known | undefined> {
    const position = this.#position(id);
    if (position === undefined) return undefined;
    const head = await this.#spill.read(position, headBytes);
    const body = head && (await this.#spill.read(position + headBytes, head.readUInt32LE(0)));
    if (head === undefined || body === undefined) return "gone";
    const [idEnd, markEnd] = [head.readUInt16LE(4), head.readUInt16LE(4) + head.readUInt16LE(6)];
    if (body.toString("utf8", 0, idEnd) !== id) return undefined; // another one with the same hash
    const answer = body.subarray(markEnd);
    return { fingerprint: body.toString("utf8", idEnd, markEnd), answer: head[8] === 1 ? readError(answer) : answer };
  }

  keep(id: string, fingerprint: string, answer: Answer): void {
    const isError = answer instanceof PluginRunnerError;
    const bytes = isError ? writeError(answer) : answer;
    const idBytes = Buffer.byteLength(id);
    const markBytes = Buffer.byteLength(fingerprint);
    const length = idBytes + markBytes + bytes.length;
    const { positions } = this.#young();
    const position = this.#spill.append(headBytes + length, (room) => {
      room.writeUInt32LE(length, 0);
      room.writeUInt16LE(idBytes, 4);
      room.writeUInt16LE(markBytes, 6);
      room[8] = isError ? 1 : 0;
      room.write(id, headBytes);
      room.write(fingerprint, headBytes + idBytes);
      room.set(bytes, headBytes + idBytes + markBytes);
    });
    positions.set(hashText(id), position);
  }

  close(): Promise<void> {
    clearInterval(this.#expiry);
    this.#generations = [];
    return this.#spill.close();
  }

  #position(id: string): number | undefined {
    this.#expire();
    const hash = hashText(id);
    for (const { positions } of this.#generations) {
      const position = positions.get(hash);
      if (position !== undefined) return position;
    }
    return undefined;
  }

  #young(): Generation {
    const now = this.#now();
    const [young] = this.#generations;
    if (young && now - young.since < generationShare * this.#keptMs) return young;
    const next = { since: now, start: this.#spill.end, positions: new TextIndex() };
    this.#generations.unshift(next);
    return next;
  }

  #expire(): void {
    const now = this.#now();
    for (
      let oldest = this.#generations.at(-1);
      oldest && this.#endOf(oldest) <= now;
      oldest = this.#generations.at(-1)
    ) {
      this.#generations.pop();
      this.#spill.forget(this.#generations.at(-1)?.start ?? this.#spill.end);
    }
  }

  /** When the last of its ids has been kept for long enough. */
  #endOf({ since }: Generation): number {
    return since + (1 + generationShare) * this.#keptMs;
  }
}

function writeError(error: PluginRunnerError): Buffer {
  return Buffer.from(JSON.stringify(toErrorRecord(error)));
}

function readError(written: Buffer): PluginRunnerError {
  return fromErrorRecord(JSON.parse(written.toString()));
}
