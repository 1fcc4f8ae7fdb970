import assert from "node:assert/strict";
import { test } from "node:test";
import { hashText, TextIndex } from "../../src/util/text-index.ts";

test("every one of 200,000 texts has its own number, and others have none", () => {
  const index = new TextIndex();
  const name = (number: number) => `request-${number}`;
  for (let number = 0; number < 200_000; number++) index.set(hashText(name(number)), number);
  assert.equal(index.size, 200_000);
  for (let number = 0; number < 200_000; number++) assert.equal(index.get(hashText(name(number))), number);
  for (let number = 200_000; number < 210_000; number++) assert.equal(index.get(hashText(name(number))), undefined);
});

test("a number may be 0, large, and set again", () => {
  const index = new TextIndex();
  index.set(hashText(""), 0);
  index.set(hashText("a"), Number.MAX_SAFE_INTEGER - 1);
  index.set(hashText("\u0000"), 7);
  index.set(hashText("\u0000"), 8);
  assert.equal(index.get(hashText("")), 0);
  assert.equal(index.get(hashText("a")), Number.MAX_SAFE_INTEGER - 1);
  assert.equal(index.get(hashText("\u0000")), 8);
  assert.equal(index.size, 3);
});

test("texts that differ in one character or in order have other hashes", () => {
  const texts = ["ab", "ba", "a", "b", "aa", "aaa", "\u0000", "\u0000\u0000", "", "é", "e\u0301", "\ud800"];
  const hashes = new Set(texts.map((text) => JSON.stringify(hashText(text))));
  assert.equal(hashes.size, texts.length);
});
