import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { PluginRunnerError } from "../src/errors.ts";
import { orStorageUnavailable } from "../src/storage-error.ts";

const full = () => writeFileSync("/dev/full", "x");
const withoutFull = process.platform === "linux" ? false : "there is no /dev/full";

function thrown(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return assert.fail("It did not throw.");
}

function saidOf(act: () => unknown) {
  const error = orStorageUnavailable(thrown(act));
  assert.ok(error instanceof PluginRunnerError);
  return { reason: error.reason, code: error.metadata.code, again: error.retryAfterMs !== undefined };
}

test("a disk that is full is STORAGE_UNAVAILABLE with its code", { skip: withoutFull }, () => {
  assert.deepEqual(saidOf(full), { reason: "STORAGE_UNAVAILABLE", code: "ENOSPC", again: true });
});

test("a cause of an error says it as well", { skip: withoutFull }, () => {
  const wrapping = () => {
    throw new Error("The copy failed.", { cause: thrown(full) });
  };
  assert.equal(saidOf(wrapping).code, "ENOSPC");
});

test("a database that has no room, or cannot be written to, is told by the same codes", () => {
  using database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE t (b BLOB); PRAGMA max_page_count = 3;");
  const insert = "INSERT INTO t VALUES (zeroblob(100000))";
  assert.equal(saidOf(() => database.exec(insert)).code, "ENOSPC");
  database.exec("PRAGMA query_only = ON");
  assert.equal(saidOf(() => database.exec(insert)).code, "EROFS");
});

test("what is not the disk's fault stays what it is", () => {
  for (const act of [() => readFileSync("/no/such/file"), () => JSON.parse("{")]) {
    const error = thrown(act);
    assert.equal(orStorageUnavailable(error), error);
  }
});
