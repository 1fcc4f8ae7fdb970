import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { exitCodeOf } from "../../src/cli/exit-codes.ts";
import { PluginRunnerError, reasons } from "../../src/errors.ts";
import { toCallStatus } from "../../src/grpc/call-status.ts";
import { fromServiceError } from "../../src/grpc/grpc-channel.ts";

test("docs/errors.md names every reason with the status and the exit code that it really has", () => {
  const documented = readTable(readFileSync(join(import.meta.dirname, "../../docs/errors.md"), "utf8"));
  const real = reasons.map((reason) => {
    const sent = toCallStatus(new PluginRunnerError(reason, "No."));
    return `${reason} ${status[sent.code]} ${exitCodeOf(fromServiceError(Object.assign(new Error(), sent), ""))}`;
  });
  assert.deepEqual(documented.sort(), real.sort());
});

/** `reason status exit-code` for each reason of the first table. */
function readTable(text: string): string[] {
  const rows = text.split("\n").filter((line) => /^\| `[A-Z_]+`.*\| \d+ \|$/.test(line));
  return rows.flatMap((row) => {
    const [, names = "", code = "", , exit = ""] = row.split("|").map((cell) => cell.trim());
    return [...names.matchAll(/[A-Z_]+/g)].map(([name]) => `${name} ${code} ${exit}`);
  });
}
