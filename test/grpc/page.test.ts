import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { JobFilterSchema } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { PluginRunnerError } from "../../src/errors.ts";
import { listPage, readPageToken, writePageToken } from "../../src/grpc/page.ts";

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

test("a token of another list, or of none, is refused", () => {
  const forged = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const tokens = [writePageToken(42, undefined), "x", forged(null), forged([1.5, "x"]), forged(["1"]), "%%%"];
  for (const token of tokens) assert.throws(() => readPageToken(token, filter), isInvalid, token);
});

function isInvalid(error: unknown): boolean {
  return error instanceof PluginRunnerError && error.reason === "REQUEST_INVALID";
}
