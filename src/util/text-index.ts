import { randomBytes } from "node:crypto";
import { finish } from "./murmur.ts";

/** As many small tables: when one grows, that takes a moment, whatever the index holds. */
const shards = 64;
const firstSize = 64;

/**
 * Remembers a number for each of millions of texts, in 16 bytes or two or three times that, where a Map takes over a hundred and
 * weighs on the garbage collector. A text is known by 64 bits of a hash with a secret seed: two that share them are taken for
 * one, so that who must not mistake them keeps the text itself under the number.
 */
export class TextIndex {
  readonly #shards: Shard[] = Array.from({ length: shards }, () => new Shard());
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get({ low, high }: TextHash): number | undefined {
    return this.#shard(high).get(low, high);
  }

  /** `value` is 0 or larger. */
  set({ low, high }: TextHash, value: number): void {
    if (this.#shard(high).set(low, high, value)) this.#size++;
  }

  #shard(high: number): Shard {
    const shard = this.#shards[high % shards];
    if (shard === undefined) throw new RangeError("There is no such shard.");
    return shard;
  }
}

export interface TextHash {
  low: number;
  high: number;
}

const seeds = randomBytes(8);
const lowSeed = seeds.readUInt32LE(0);
const highSeed = seeds.readUInt32LE(4);

/** Two lanes of MurmurHash3's step and finish. */
export function hashText(text: string): TextHash {
  let low = lowSeed;
  let high = highSeed;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    low = (Math.imul(((low ^ unit) << 13) | ((low ^ unit) >>> 19), 0xcc9e2d51) + 0xe6546b64) | 0;
    high = (Math.imul(((high ^ unit) << 15) | ((high ^ unit) >>> 17), 0x1b873593) + 0x561ccd1b) | 0;
  }
  return { low: finish(low ^ text.length), high: finish(high ^ low) };
}

/** An open-addressed table: the hash's halves beside the value, which is kept one larger, so that 0 means free. */
class Shard {
  #hashes = new Uint32Array(2 * firstSize);
  #values = new Float64Array(firstSize);
  #used = 0;

  get(low: number, high: number): number | undefined {
    const value = this.#values[this.#place(low, high)];
    return value === undefined || value === 0 ? undefined : value - 1;
  }

  /** Whether it is new. */
  set(low: number, high: number, value: number): boolean {
    if (4 * this.#used >= 3 * this.#values.length) this.#grow();
    const place = this.#place(low, high);
    const isNew = this.#values[place] === 0;
    if (isNew) this.#used++;
    this.#hashes[2 * place] = low;
    this.#hashes[2 * place + 1] = high;
    this.#values[place] = value + 1;
    return isNew;
  }

  #place(low: number, high: number): number {
    const mask = this.#values.length - 1;
    let place = low & mask;
    while (this.#values[place] !== 0 && !(this.#hashes[2 * place] === low && this.#hashes[2 * place + 1] === high)) {
      place = (place + 1) & mask;
    }
    return place;
  }

  #grow(): void {
    const hashes = this.#hashes;
    const values = this.#values;
    this.#hashes = new Uint32Array(2 * hashes.length);
    this.#values = new Float64Array(2 * values.length);
    for (const [at, value] of values.entries()) {
      if (value === 0) continue;
      const [low = 0, high = 0] = hashes.subarray(2 * at, 2 * at + 2);
      const place = this.#place(low, high);
      this.#hashes.set([low, high], 2 * place);
      this.#values[place] = value;
    }
  }
}
