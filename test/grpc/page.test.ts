import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { JobFilterSchema } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { PluginRunnerError } from "../../src/errors.ts";
import { listPage, pageByKey, readPageToken, writePageToken } from "../../src/grpc/page.ts";

const filter = create(JobFilterSchema, { labels: { team: "red", tier: "1" }, createdAfter: timestampFromMs(5) });

test("the size of a page has a default, a limit, and is not negative", () => {
  assert.deepEqual([listPage(0, 50, 500), listPage(7, 50, 500), listPage(501, 50, 500)], [50, 7, 500]);
  assert.throws(() => listPage(-1, 50, 500), isInvalid);
});

test("a token leads on in the list that it was made for, whatever the order of the labels", () => {
  const same = create(JobFilterSchema, { labels: { tier: "1", team: "red" }, createdAfter: timestampFromMs(5) });
  assert.equal(readPageToken(writePageToken(42, filter), same), 42);
  assert.equal(readPageToken(writePageToken(42, undefined), undefined), 42);
  assert.equal(readPageToken("", filter), undefined);
});

test("a page by keys goes on after the last key, whatever was added or removed meanwhile", () => {
  const page = (items: string[], token: string) => pageByKey(items, (item) => item, token, 2);
  const first = page(["b", "d", "f", "h"], "");
  assert.deepEqual(first.page, ["b", "d"]);
  assert.deepEqual(page(["a", "b", "c", "d", "e", "f", "h"], first.nextPageToken).page, ["e", "f"]);
  assert.deepEqual(page(["b", "f", "h"], first.nextPageToken), { page: ["f", "h"], nextPageToken: "" });
  assert.deepEqual(page(["b", "d"], first.nextPageToken), { page: [], nextPageToken: "" });
  assert.deepEqual(page([], ""), { page: [], nextPageToken: "" });
  assert.throws(() => page(["b"], writePageToken(2, undefined)), isInvalid);
});

test("a token of another list, or of none, is refused", () => {
  const forged = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const tokens = [writePageToken(42, undefined), "x", forged(null), forged([1.5, "x"]), forged(["1"]), "%%%"];
  for (const token of tokens) assert.throws(() => readPageToken(token, filter), isInvalid, token);
});

function isInvalid(error: unknown): boolean {
  return error instanceof PluginRunnerError && error.reason === "REQUEST_INVALID";
}
