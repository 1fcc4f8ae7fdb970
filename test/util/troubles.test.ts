import assert from "node:assert/strict";
import { test } from "node:test";
import { Troubles } from "../../src/util/troubles.ts";

function written() {
  const lines: string[] = [];
  let time = 0;
  const troubles = new Troubles(
    (level, message, fields = {}) => lines.push(`${level} ${message} ${JSON.stringify(fields)}`),
    60_000,
    () => time,
  );
  const wait = (ms: number) => {
    time += ms;
  };
  return { lines, troubles, wait };
}

test("a trouble is told when it begins, once a minute while it lasts, and when it ends", () => {
  const { lines, troubles, wait } = written();
  for (let second = 0; second < 121; second++) {
    troubles.met("disk", "a", "error", "it is full", { job: "a" });
    wait(1000);
  }
  troubles.over("disk", "a", "there is room again");
  assert.deepEqual(lines, [
    'error it is full {"job":"a"}',
    'error it is full {"job":"a","times":61,"for_s":60}',
    'error it is full {"job":"a","times":121,"for_s":120}',
    'info there is room again {"times":121,"for_s":121}',
  ]);
});

test("a trouble of many is one trouble, and over when it is for the last of them", () => {
  const { lines, troubles } = written();
  for (const who of ["a", "b", "a", "b"]) troubles.met("disk", who, "error", "it is full");
  troubles.over("disk", "a", "there is room again");
  assert.equal(lines.length, 1);
  troubles.over("disk", "b", "there is room again");
  assert.equal(lines.length, 2);
});

test("troubles of other kinds are told apart, and one that comes again is told again", () => {
  const { lines, troubles } = written();
  for (const kind of ["disk", "quota"]) troubles.met(kind, "a", "error", kind);
  troubles.over("disk", "a", "over");
  troubles.met("disk", "a", "error", "again");
  assert.deepEqual(
    lines.map((line) => line.split(" ")[1]),
    ["disk", "quota", "over", "again"],
  );
});

test("what no trouble was is not told to be over", () => {
  const { lines, troubles } = written();
  troubles.over("disk", "a", "over");
  troubles.met("disk", "a", "error", "full");
  troubles.over("disk", "b", "over");
  assert.equal(lines.length, 1);
});
