import assert from "node:assert/strict";
import { test } from "node:test";
import { didYouMean, nearest } from "../../src/util/nearest.ts";

test("the nearest name is the one that was probably meant", () => {
  assert.equal(nearest("trian", ["train", "infer"]), "train");
  assert.equal(nearest("export", ["train", "infer"]), "");
  assert.equal(nearest("x", []), "");
  assert.equal(didYouMean("trian", ["train"]), ' Did you mean "train"?');
  assert.equal(didYouMean("export", ["train"]), "");
});

test("words of any length take no time", () => {
  assert.equal(nearest("x".repeat(1_000_000), ["train", "y".repeat(1_000_000)]), "");
});
