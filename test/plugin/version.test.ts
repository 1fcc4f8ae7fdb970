import assert from "node:assert/strict";
import { test } from "node:test";
import { compareVersions } from "../../src/plugin/version.ts";

test("versions are ordered by their numbers, a pre-release before its release", () => {
  const ordered = [
    "",
    "0.1.0",
    "1.0.0-alpha.2",
    "1.0.0-alpha.10",
    "1.0.0-rc1",
    "1.0.0",
    "1.9",
    "1.10.0",
    "v2",
    "2026.2.17",
  ];
  assert.deepEqual([...ordered].reverse().sort(compareVersions), ordered);
  assert.equal(compareVersions("1.0", "1.0.0+build.5"), 0);
});
