import assert from "node:assert/strict";
import { test } from "node:test";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import {
  BadRequestSchema,
  DebugInfoSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../gen/ts/google/rpc/error_details_pb.ts";
import { JobErrorSchema } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { type ErrorDetails, PluginRunnerError, reasons } from "../../src/errors.ts";
import { detailsKey, fromCallMetadata, toCallStatus } from "../../src/grpc/call-status.ts";
import { findDetail, toStatus, withoutLargeResult } from "../../src/grpc/status.ts";

test("every reason has a code of its own meaning, and says itself in ErrorInfo", () => {
  for (const reason of reasons) {
    const { code, info } = sent(new PluginRunnerError(reason, "no"));
    assert.notEqual(code, status.OK);
    assert.deepEqual([info?.reason, info?.domain], [reason, "pluginrunner.v1.PluginRunner"]);
  }
});

test("what an error carries arrives in the standard details", () => {
  const { code, message, info, found } = sent(
    new PluginRunnerError("ACTION_FAILED", "division by zero", {
      metadata: { action: "train" },
      exceptionType: "ZeroDivisionError",
      pluginStack: "Traceback\n  line 1",
      violations: [{ field: "/params/a", description: "is 0", rule: "minimum" }],
      retryAfterMs: 1500,
    }),
  );
  assert.deepEqual([code, message], [status.UNKNOWN, "division by zero"]);
  assert.deepEqual(info?.metadata, { action: "train", exception_type: "ZeroDivisionError" });
  assert.deepEqual(found(DebugInfoSchema)?.stackEntries, ["Traceback", "  line 1"]);
  const [violation] = found(BadRequestSchema)?.fieldViolations ?? [];
  assert.deepEqual([violation?.field, violation?.description, violation?.reason], ["/params/a", "is 0", "minimum"]);
  const delay = found(RetryInfoSchema)?.retryDelay;
  assert.equal(delay && durationMs(delay), 1500);
});

test("a plugin that cannot be loaded names its file as a field", () => {
  const metadata = { file: "config.yaml", line: "3", column: "5" };
  const { found } = sent(new PluginRunnerError("PLUGIN_INVALID", "bad indentation", { metadata }));
  const [violation] = found(BadRequestSchema)?.fieldViolations ?? [];
  assert.deepEqual([violation?.field, violation?.description], ["config.yaml", "line 3, column 5: bad indentation"]);
});

/** What headers take: the escaped message, and the details in base64. */
const maxHeaderBytes = 8 * 1024 - 512;

const letters = { ascii: "x", wide: "漢", emoji: "😀", control: "\u0001" };
const violation = (text: string) => ({ field: `/${text}`, description: text, rule: "type" });
const large: Record<string, (text: string) => ErrorDetails> = {
  stack: (text) => ({ pluginStack: `${text}\n`.repeat(50) }),
  violations: (text) => ({ violations: Array.from({ length: 100 }, () => violation(text)) }),
  metadata: (text) => ({ metadata: Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`key_${at}`, text])) }),
  all: (text) => ({ pluginStack: text, violations: [violation(text)], metadata: { key: text }, exceptionType: text }),
};
for (const [name, details] of Object.entries(large)) {
  test(`a large error (${name}) fits into the headers that clients take, and keeps its reason`, () => {
    for (const letter of Object.values(letters)) {
      const text = letter.repeat(3000);
      const error = new PluginRunnerError("ACTION_FAILED", text, details(text));
      const { info, headerBytes } = sent(error);
      assert.equal(info?.reason, "ACTION_FAILED");
      assert.ok(headerBytes <= maxHeaderBytes, `${headerBytes} bytes`);
    }
  });
}

test("details that cannot be read are none", () => {
  const { metadata } = toCallStatus(new PluginRunnerError("INTERNAL", "no"));
  metadata.set(detailsKey, Buffer.from("not a message"));
  assert.equal(fromCallMetadata(metadata), undefined);
  metadata.remove(detailsKey);
  assert.equal(fromCallMetadata(metadata), undefined);
});

/** An error as its status arrives. */
function sent(error: PluginRunnerError) {
  const { code, details: message, metadata } = toCallStatus(error);
  const decoded = fromCallMetadata(metadata);
  assert.ok(decoded);
  const [encoded] = metadata.get(detailsKey);
  const headerBytes = encodeURI(message).length + Buffer.from(encoded ?? "").toString("base64").length;
  const found: <D extends Parameters<typeof findDetail>[1]>(desc: D) => ReturnType<typeof findDetail<D>> = (desc) =>
    findDetail(decoded, desc);
  return { code, message, headerBytes, info: found(ErrorInfoSchema), found };
}

test("what there is of a result goes with a refusal while it is small, and is said to be too large else", () => {
  const refusal = (length: number) => {
    const partialResult = { value: { kept: "x".repeat(length), run: null }, nonFinite: [] };
    return new PluginRunnerError("RESULT_INVALID", "No.", { metadata: { field: "/run" }, partialResult });
  };
  const small = refusal(1000);
  assert.equal(withoutLargeResult(small), small);
  const told = findDetail(toStatus(small), JobErrorSchema);
  assert.equal(told?.partialResult?.kind.case, "structValue");
  for (const error of [refusal(4500), withoutLargeResult(refusal(1_000_000))]) {
    const other = toStatus(error);
    assert.equal(findDetail(other, JobErrorSchema), undefined);
    const { metadata } = findDetail(other, ErrorInfoSchema) ?? assert.fail();
    assert.deepEqual(metadata, { field: "/run", partial_result: "too large to send" });
  }
  assert.equal(withoutLargeResult(refusal(1_000_000)).partialResult, undefined);
});

test("the list of places stays a list when it is too long for a status", () => {
  const fields = JSON.stringify(Array.from({ length: 100 }, (_, index) => `/a/long/way/to/the/place/${index}`));
  const sentStatus = toStatus(new PluginRunnerError("RESULT_INVALID", "No.", { metadata: { fields } }));
  const told = findDetail(sentStatus, ErrorInfoSchema)?.metadata.fields ?? "";
  assert.ok(told.length <= 1024);
  assert.equal(JSON.parse(told)[0], "/a/long/way/to/the/place/0");
});

test("half a surrogate pair is shown in a message, its metadata and the plugin's stack, as in events", () => {
  const details = { metadata: { file: "a\udcff.txt" }, pluginStack: "Error: a\ud800", exceptionType: "Error" };
  const { code, details: message, metadata } = toCallStatus(new PluginRunnerError("ACTION_FAILED", "a\ud800", details));
  const told = fromCallMetadata(metadata) ?? assert.fail();
  assert.deepEqual([code, message, told.message], [status.UNKNOWN, "a\\ud800", "a\\ud800"]);
  assert.equal(findDetail(told, ErrorInfoSchema)?.metadata.file, "a\\udcff.txt");
  assert.deepEqual(findDetail(told, DebugInfoSchema)?.stackEntries, ["Error: a\\ud800"]);
});
