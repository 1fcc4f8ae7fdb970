/** A step of MurmurHash3 (https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp). */
export function mix(mark: number, word: number): number {
  const mixed = mark ^ Math.imul(rotate(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593);
  return (Math.imul(rotate(mixed, 13), 5) + 0xe6546b64) | 0;
}

/** Its finish: 32 bits, none of them below zero. */
export function finish(mark: number): number {
  let mixed = Math.imul(mark ^ (mark >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}
