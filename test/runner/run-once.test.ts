import assert from "node:assert/strict";
import { test } from "node:test";
import { PluginRunnerError } from "../../src/errors.ts";
import { RunOnce } from "../../src/runner/run-once.ts";

const forever = new AbortController().signal;
const bytes = (text: string) => Buffer.from(text);
/** Nothing of these tests is large enough to be written. */
const memory = { dir: "", keptMs: 60_000 };

test("calls with one id share a run, and later ones its answer", async () => {
  const { once, run, answer, starts } = counted();
  const calls = [run("id"), run("id"), run("id"), run("id")];
  answer(bytes("answer"));
  assert.deepEqual((await Promise.all(calls)).map(String), Array(4).fill("answer"));
  assert.equal(String(await run("id")), "answer");
  assert.equal(starts(), 1);
  assert.equal(String(await once.run("other", "mark", async () => bytes("other"), forever)), "other");
});

test("a failure of the action is kept as well; what has not started is run again", async () => {
  const once = new RunOnce(memory);
  let starts = 0;
  const failing = (reason: "ACTION_FAILED" | "OVERLOADED") => () => {
    starts++;
    return Promise.reject(new PluginRunnerError(reason, "no"));
  };
  for (let again = 0; again < 2; again++) {
    await assert.rejects(once.run("failed", "mark", failing("ACTION_FAILED"), forever), /no/);
  }
  assert.equal(starts, 1);
  for (let again = 0; again < 2; again++) {
    await assert.rejects(once.run("refused", "mark", failing("OVERLOADED"), forever), /no/);
  }
  assert.equal(starts, 3);
});

test("an id with another content is refused, while the run goes on and after its end", async () => {
  const { run, answer } = counted();
  const call = run("id");
  await assert.rejects(run("id", { mark: "another" }), isReason("REQUEST_INVALID"));
  answer(bytes("answer"));
  await call;
  await assert.rejects(run("id", { mark: "another" }), isReason("REQUEST_INVALID"));
});

test("a caller that leaves is rejected at once; the run goes on for the others", async () => {
  const { run, answer, signal } = counted();
  const leave = new AbortController();
  const [first, second] = [run("id", { signal: leave.signal }), run("id")];
  leave.abort(new Error("left"));
  await assert.rejects(first, /left/);
  answer(bytes("answer"));
  assert.equal(String(await second), "answer");
  assert.equal(signal()?.aborted, false);
});

test("a run that all have left goes on for a while, and ends when nobody comes back", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { run, signal, starts } = counted();
  const leave = new AbortController();
  const first = run("id", { signal: leave.signal });
  leave.abort(new Error("left"));
  await assert.rejects(first, /left/);
  t.mock.timers.tick(1999);
  const again = new AbortController();
  const second = run("id", { signal: again.signal });
  t.mock.timers.tick(5000);
  assert.equal(signal()?.aborted, false);
  again.abort(new Error("left too"));
  await assert.rejects(second, /left too/);
  t.mock.timers.tick(2000);
  assert.equal(signal()?.aborted, true);
  assert.equal(starts(), 1);
  run("id").catch(() => {});
  assert.equal(starts(), 2);
});

test("a caller that was gone before it came does not keep a run going", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { run, signal } = counted();
  await assert.rejects(run("id", { signal: AbortSignal.abort(new Error("gone")) }), /gone/);
  t.mock.timers.tick(2000);
  assert.ok(signal() === undefined || signal()?.aborted);
});

test("a run whose answer is no longer kept is refused, and not run again", async () => {
  const once = new RunOnce({ ...memory, memoryBytes: 64, totalBytes: 512 * 1024 });
  let starts = 0;
  const run = (id: string) => {
    const start = async () => {
      starts++;
      return Buffer.alloc(300 * 1024);
    };
    return once.run(id, "mark", start, forever);
  };
  await run("first");
  for (let index = 0; index < 5; index++) await run(`other-${index}`);
  await assert.rejects(run("first"), isReason("DATA_LOSS"));
  assert.equal(starts, 6);
});

test("where no more ids can be remembered, nothing new is run, and what is remembered is answered", async () => {
  const once = new RunOnce({ ...memory, maxIds: 2 });
  let starts = 0;
  const run = (id: string) => {
    const start = async () => {
      starts++;
      return bytes(id);
    };
    return once.run(id, "mark", start, forever);
  };
  await run("first");
  await run("second");
  await assert.rejects(run("third"), isReason("OVERLOADED"));
  assert.equal(String(await run("first")), "first");
  assert.equal(starts, 2);
});

/** Runs that end when `answer` is called. */
function counted() {
  const once = new RunOnce(memory);
  const { promise, resolve } = Promise.withResolvers<Uint8Array>();
  let starts = 0;
  let own: AbortSignal | undefined;
  const start = (signal: AbortSignal) => {
    starts++;
    own = signal;
    return promise;
  };
  const run = (id: string, { mark = "mark", signal = forever } = {}) => once.run(id, mark, start, signal);
  return { once, run, answer: resolve, starts: () => starts, signal: () => own };
}

function isReason(reason: string) {
  return (error: unknown) => error instanceof PluginRunnerError && error.reason === reason;
}
