import assert from "node:assert/strict";
import { test } from "node:test";
import { OutputLines } from "../../src/worker/output-lines.ts";

function cut(...chunks: (string | Buffer)[]): string[] {
  const lines: string[] = [];
  const output = new OutputLines((text) => lines.push(text));
  for (const chunk of chunks) output.push(Buffer.from(chunk));
  output.flush();
  return lines;
}

test("lines are found across chunks, also where one cuts a character, and the last needs no end", () => {
  const umlaut = Buffer.from("ü");
  assert.deepEqual(cut("a\nb", "c\n", umlaut.subarray(0, 1), umlaut.subarray(1), "\n\nend"), ["a", "bc", "ü", "end"]);
});

test("a bar that draws over itself is a line a second while it moves, and one for its last state", () => {
  const lines: string[] = [];
  let now = 0;
  const output = new OutputLines(
    (text) => lines.push(text),
    () => now,
  );
  for (let step = 1; step <= 250; step++, now += 10) output.push(Buffer.from(`\r${step} of 250`));
  output.push(Buffer.from("\nafter\n"));
  assert.deepEqual(lines, ["1 of 250", "100 of 250", "200 of 250", "250 of 250", "after"]);
});

test("the last state of a bar is whole, however much was drawn before it", () => {
  const states = Array.from({ length: 1000 }, (_, step) => `\r${step} ${"#".repeat(80)}`);
  assert.equal(cut(...states, "\n").at(-1), `999 ${"#".repeat(80)}`);
});

test("a line that ends in a carriage return and a newline is one line", () => {
  assert.deepEqual(cut("a\r\nb\r", "\n\r\nc\r\n"), ["a", "b", "c"]);
});

test("a long line is cut and says by how much, and the next is as it is", () => {
  const lines = cut("x".repeat(20_000), "\nnext\n");
  assert.deepEqual(lines, [`${"x".repeat(16 * 1024)}… [+${20_000 - 16 * 1024} characters]`, "next"]);
});

test("of a flood only the number of bytes is told beyond 1 MiB, and the next run is read again", () => {
  const lines: string[] = [];
  const output = new OutputLines((text) => lines.push(text));
  const chunk = Buffer.from("0123456789abcde\n".repeat(4096));
  for (let index = 0; index < 100; index++) output.push(chunk);
  output.flush();
  assert.equal(lines.length, 16 * 4096 + 1);
  assert.equal(lines.at(-1), `… [+${84 * chunk.length} bytes]`);
  output.push(Buffer.from("again\n"));
  assert.equal(lines.at(-1), "again");
});

test("runs that follow each other without a pause have a limit each", () => {
  const lines: string[] = [];
  const output = new OutputLines((text) => lines.push(text));
  const flood = Buffer.from("0123456789abcde\n".repeat(65_536));
  output.push(flood);
  output.push(Buffer.from("dropped"));
  output.next();
  output.push(Buffer.from("again\nand "));
  output.next();
  output.push(Buffer.from("again\n"));
  assert.deepEqual(lines.slice(65_536), ["… [+7 bytes]", "again", "and again"]);
});
