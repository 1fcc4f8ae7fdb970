import assert from "node:assert/strict";
import { test } from "node:test";
import { PluginRunnerError } from "../../src/errors.ts";
import { KeptAnswers } from "../../src/runner/kept-answers.ts";

test("20,000 answers that come within a moment are all kept for their time", async () => {
  const { answers, advance } = made();
  for (let index = 0; index < 20_000; index++) answers.keep(`id-${index}`, "mark", Buffer.from(`answer ${index}`));
  advance(999);
  for (let index = 0; index < 20_000; index++) {
    assert.deepEqual(await read(answers, `id-${index}`), { fingerprint: "mark", answer: `answer ${index}` });
  }
  assert.equal(await answers.get("another"), undefined);
});

test("an id is kept for its time, whenever it came, and forgotten soon after", async () => {
  const { answers, advance } = made();
  for (let index = 0; index < 30; index++) {
    answers.keep(`id-${index}`, "mark", Buffer.from("answer"));
    advance(100);
  }
  // Now is 3,000: those of the last 1,000 have to be there, those of more than 1,250 ago may not.
  for (let index = 20; index < 30; index++) assert.ok(answers.has(`id-${index}`), `id-${index}`);
  for (let index = 0; index < 15; index++) assert.ok(!answers.has(`id-${index}`), `id-${index}`);
  advance(1251);
  assert.ok(!answers.has("id-29"));
});

test("the answer to an id may be an error, with all that it tells", async () => {
  const { answers } = made();
  const error = new PluginRunnerError("ACTION_FAILED", "no: é", {
    metadata: { a: "b" },
    violations: [{ field: "/x", description: "is wrong", rule: "type" }],
    exceptionType: "ValueError",
    pluginStack: "a stack",
    partialResult: { value: { a: [1] }, nonFinite: ["/a/0"] },
  });
  answers.keep("é", "mark", error);
  const known = await answers.get("é");
  assert.ok(known !== undefined && known !== "gone");
  assert.deepEqual(known.answer, error);
});

test("ids that are too many are known beforehand, and when there will be room", () => {
  const { answers, advance } = made({ maxIds: 2 });
  answers.keep("one", "mark", Buffer.from("1"));
  assert.equal(answers.fullForMs, undefined);
  advance(100);
  answers.keep("two", "mark", Buffer.from("2"));
  assert.equal(answers.fullForMs, 1150);
  advance(1150);
  assert.ok(!answers.has("one"));
  assert.equal(answers.fullForMs, undefined);
});

/** The clock stands still but for `advance`. */
function made(options: { maxIds?: number } = {}) {
  let now = 0;
  const answers = new KeptAnswers({ dir: "", keptMs: 1000, now: () => now, ...options });
  const advance = (ms: number) => {
    now += ms;
  };
  return { answers, advance };
}

async function read(answers: KeptAnswers, id: string) {
  const known = await answers.get(id);
  assert.ok(known !== undefined && known !== "gone");
  return { fingerprint: known.fingerprint, answer: String(known.answer) };
}
