import assert from "node:assert/strict";
import { test } from "node:test";
import { LineSplitter } from "../../src/util/lines.ts";

test("lines come whole, however their bytes arrive", () => {
  const bytes = Buffer.from("one\n\ntwo ä€😀\nlast");
  for (let size = 1; size <= bytes.length; size++) {
    const splitter = new LineSplitter(100);
    const found: string[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      found.push(...splitter.push(bytes.subarray(at, at + size)).map(String));
    }
    assert.deepEqual(found, ["one", "", "two ä€😀"]);
    assert.deepEqual(splitter.push(Buffer.from("\n")).map(String), ["last"]);
  }
});

test("a line that never ends is refused before it fills the memory", () => {
  const splitter = new LineSplitter(10);
  splitter.push(Buffer.from("12345\n67890"));
  assert.throws(() => splitter.push(Buffer.from("123456")), RangeError);
});
