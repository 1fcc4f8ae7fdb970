import assert from "node:assert/strict";
import { test } from "node:test";
import { type LogLevel, stderrLog } from "../../src/util/log.ts";

const error = new Error("The cluster does not answer.", { cause: new Error("connect ECONNREFUSED") });

function logged(level: LogLevel, of: LogLevel): string {
  let text = "";
  stderrLog(level, "json", (line) => {
    text += line;
  })(of, "away", { error });
  return JSON.parse(text).error;
}

test("an error that is only worth a warning is one line with its causes; its stack is there at debug", () => {
  assert.equal(logged("info", "warn"), "The cluster does not answer.: connect ECONNREFUSED");
  assert.match(
    logged("debug", "warn"),
    /^Error: The cluster .*\n {4}at .*\ncaused by Error: connect ECONNREFUSED\n {4}at /s,
  );
});

test("an error that is its own cause is told, and control characters cannot steer a terminal", () => {
  const circle = new Error("circle");
  circle.cause = circle;
  const lines: string[] = [];
  const log = stderrLog("info", "text", (line) => lines.push(line));
  log("warn", "away", { error: circle });
  log("info", "output", { text: "a\u009b31m" });
  assert.match(lines[0] ?? "", /error="circle(: circle)+"/);
  assert.match(lines[1] ?? "", /text="a\\u009b31m"/);
});

test("an error that is this program's own has its stack at every level", () => {
  assert.match(logged("info", "error"), /\n {4}at .*\ncaused by Error/s);
});
