import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { PluginRunnerError } from "../../src/errors.ts";
import { type ActionContext, defineAction } from "../../src/runtime/index.ts";
import { type ActionCall, runAction } from "../../src/runtime/run-action.ts";
import { RunDirectory } from "../../src/runtime/run-directory.ts";
import type { EventRecord } from "../../src/worker/messages.ts";

function call(t: TestContext, more: Partial<ActionCall> = {}) {
  const base = mkdtempSync(join(tmpdir(), "run-"));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const events: EventRecord[] = [];
  const common = { action: "test", params: {}, env: {}, jobId: "", signal: new AbortController().signal };
  const directory = new RunDirectory(join(base, "work"), join(base, "artifacts"));
  const options = { ...common, directory, sink: (record: EventRecord) => void events.push(record) };
  return { base, events, call: { ...options, ...more } satisfies ActionCall };
}

function code(run: (params: unknown, ctx: ActionContext) => unknown) {
  return {
    name: undefined,
    description: "",
    params: undefined,
    result: undefined,
    run: (params: unknown, ctx: unknown) => run(params, context(ctx)),
  };
}

function context(value: unknown): ActionContext {
  assert.ok(isContext(value));
  return value;
}

function isContext(value: unknown): value is ActionContext {
  return value !== null && typeof value === "object" && "setProgress" in value;
}

async function failure(promise: Promise<unknown>): Promise<PluginRunnerError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof PluginRunnerError, String(error));
  return error;
}

test("params and a sync or async result pass through", async (t) => {
  const params = { a: [1] };
  const echo = code((given) => given);
  assert.equal((await runAction(echo, call(t, { params }).call)).value, params);
  const five = code(async () => 5);
  assert.equal((await runAction(five, call(t).call)).value, 5);
});

test("progress out of range is the author's error", async (t) => {
  for (const [current, total] of [
    [1, 0],
    [-1, 2],
    [3, 2],
    [Number.NaN, 2],
    [1, Number.POSITIVE_INFINITY],
  ] as const) {
    const error = await failure(
      runAction(
        code((_, ctx) => ctx.setProgress(current, total)),
        call(t).call,
      ),
    );
    assert.equal(error.exceptionType, "RangeError", `${current} of ${total}`);
  }
});

const wrongArguments: [string, (ctx: ActionContext, other: unknown) => unknown, unknown, RegExp][] = [
  [
    "a current that is no number",
    (ctx, other) => Reflect.apply(ctx.setProgress, ctx, [other, 3]),
    null,
    /^ctx\.setProgress: current must be a number, not null\.$/,
  ],
  [
    "a step in the place of options",
    (ctx, other) => Reflect.apply(ctx.setProgress, ctx, [1, 3, other]),
    "load",
    /^ctx\.setProgress: options must be an object such as .*, not the text "load"\.$/,
  ],
  [
    "a step that is no text",
    (ctx, other) => Reflect.apply(ctx.setProgress, ctx, [1, 3, { step: other }]),
    {},
    /^ctx\.setProgress: step must be a text, not an object of Object\.$/,
  ],
  [
    "metrics that are a text",
    (ctx, other) => Reflect.apply(ctx.setMetrics, ctx, [other]),
    "x",
    /^ctx\.setMetrics: values must be an object such as/,
  ],
  ["metrics that are an array", (ctx, other) => Reflect.apply(ctx.setMetrics, ctx, [other]), [1], /not an array\.$/],
  [
    "a level in the place of options",
    (ctx, other) => Reflect.apply(ctx.log, ctx, ["x", other]),
    "warn",
    /^ctx\.log: options must be an object such as/,
  ],
  [
    "fields that are a number",
    (ctx, other) => Reflect.apply(ctx.logger.info, ctx, ["x", other]),
    5,
    /^ctx\.logger\.info: fields must be .*, not number\.$/,
  ],
  [
    "a path that is none",
    (ctx, other) => Reflect.apply(ctx.artifact, ctx, [other]),
    5,
    /^ctx\.artifact: path must be the path of a file or a file: URL, not number\.$/,
  ],
  [
    "a URL of the web",
    (ctx, other) => Reflect.apply(ctx.artifact, ctx, [other]),
    new URL("http://a/"),
    /^ctx\.artifact: path .* not an object of URL\.$/,
  ],
  [
    "an artifact's name that is an array",
    (ctx, other) => Reflect.apply(ctx.artifact, ctx, ["f", { name: other }]),
    [],
    /^ctx\.artifact: name must be a text, not an array\.$/,
  ],
];

for (const [what, use, given, message] of wrongArguments) {
  test(`${what} is a TypeError that names member and argument`, async (t) => {
    const action = code(async (_, ctx) => use(ctx, given));
    const error = await failure(runAction(action, call(t).call));
    assert.equal(error.exceptionType, "TypeError");
    assert.match(error.metadata.message ?? "", message);
  });
}

test("steps, messages, names and levels that are no text are made text, as in Python", async (t) => {
  const { base, events, call: options } = call(t);
  writeFileSync(join(base, "a.txt"), "content");
  const action = code(async (_, ctx) => {
    Reflect.apply(ctx.setProgress, ctx, [1, 3n, { step: 5, message: null }]);
    Reflect.apply(ctx.setMetrics, ctx, [new Map([["loss", Number.NaN]]), true]);
    Reflect.apply(ctx.log, ctx, [{ toString: () => "shown" }, { level: "warning" }]);
    ctx.logger.error("half \ud800", new TypeError("no"));
    await Reflect.apply(ctx.artifact, ctx, [pathToFileURL(join(base, "a.txt")), { name: 7, mediaType: null }]);
  });
  await runAction(action, options);
  assert.deepEqual(
    events.slice(0, 4).map(({ time, ...event }) => event),
    [
      { type: "progress", step: "5", current: 1, total: 3, message: "" },
      { type: "metrics", step: "true", values: { loss: "NaN" }, non_finite: ["/loss"] },
      { type: "log", source: "LOGGER", level: "WARNING", message: "shown", fields: {} },
      { type: "log", source: "LOGGER", level: "ERROR", message: "half \\ud800", fields: { value: "TypeError: no" } },
    ],
  );
  const artifact = events[4];
  assert.ok(artifact?.type === "artifact");
  assert.deepEqual([artifact.name, artifact.media_type], ["7", ""]);
});

test("members of the context work when they are taken out of it", async (t) => {
  const { events, call: options } = call(t);
  await runAction(
    code((_, { log, setMetrics, throwIfCancelled, logger: { error } }) => {
      throwIfCancelled();
      setMetrics({ loss: 1 });
      log("one", { level: "debug" });
      error("two", { code: 5 });
    }),
    options,
  );
  assert.deepEqual(
    events.map(({ time, ...event }) => event),
    [
      { type: "metrics", step: "", values: { loss: 1 } },
      { type: "log", source: "LOGGER", level: "DEBUG", message: "one", fields: {} },
      { type: "log", source: "LOGGER", level: "ERROR", message: "two", fields: { code: 5 } },
    ],
  );
});

test("the work folder is made when it is asked for", async (t) => {
  const { base, call: options } = call(t);
  await runAction(
    code(() => 1),
    options,
  );
  assert.equal(existsSync(join(base, "work")), false);
  const exists = code((_, ctx) => existsSync(ctx.workDir));
  assert.equal((await runAction(exists, options)).value, true);
});

test("an artifact from outside the work folder is copied as well", async (t) => {
  const { base, events, call: options } = call(t);
  writeFileSync(join(base, "outside.txt"), "content");
  const { value: uri } = await runAction(
    code((_, ctx) => ctx.artifact(join(base, "outside.txt"), { name: "given" })),
    options,
  );
  assert.ok(typeof uri === "string");
  assert.equal(fileURLToPath(uri), join(base, "artifacts", "outside.txt"));
  assert.equal(readFileSync(fileURLToPath(uri), "utf8"), "content");
  const [event] = events;
  assert.ok(event?.type === "artifact");
  assert.deepEqual([event.name, event.size_bytes, event.uri], ["given", 7, uri]);
});

test("artifacts of equal names do not overwrite each other, wherever artifacts stay", async (t) => {
  const write = code(async (_, ctx) => {
    const uris = [];
    for (const text of ["first", "second"]) {
      mkdirSync(join(ctx.workDir, text));
      writeFileSync(join(ctx.workDir, text, "model.txt"), text);
      uris.push(await ctx.artifact(join(text, "model.txt")));
    }
    return uris;
  });
  const { base, call: kept } = call(t);
  for (const directory of [kept.directory, new RunDirectory(join(base, "other"), "")]) {
    const { value: uris } = await runAction(write, { ...kept, directory });
    assert.ok(Array.isArray(uris));
    assert.deepEqual(
      uris.map((uri) => readFileSync(fileURLToPath(String(uri)), "utf8")),
      ["first", "second"],
    );
  }
});

test("an artifact keeps what was in its file when it was made known", async (t) => {
  const write = code(async (_, ctx) => {
    const uris = [];
    for (const text of ["first", "second"]) {
      writeFileSync(join(ctx.workDir, "model.txt"), text);
      uris.push(await ctx.artifact("model.txt"));
    }
    return uris;
  });
  const { events, call: options } = call(t);
  await runAction(write, options);
  assert.deepEqual(
    events.map((event) => event.type === "artifact" && readFileSync(fileURLToPath(event.uri), "utf8")),
    ["first", "second"],
  );
});

test("an artifact that cannot be read fails the run, also when nobody awaits it", async (t) => {
  const error = await failure(
    runAction(
      code((_, ctx) => void ctx.artifact("nowhere.txt")),
      call(t).call,
    ),
  );
  assert.equal(error.reason, "ACTION_FAILED");
  assert.match(error.message, /nowhere\.txt/);
});

test("an artifact that nobody awaits fails its run and nothing else", async (t) => {
  const stray: unknown[] = [];
  const listener = (reason: unknown) => void stray.push(reason);
  process.on("unhandledRejection", listener);
  t.after(() => process.off("unhandledRejection", listener));
  const run = code(async (_, ctx) => {
    ctx.artifact("nowhere.txt");
    await delay(20);
  });
  assert.equal((await failure(runAction(run, call(t).call))).reason, "ACTION_FAILED");
  assert.deepEqual(stray, []);
});

test("an action that ends by its signal ends with the signal's reason", async (t) => {
  const reason = new PluginRunnerError("DEADLINE", "late");
  for (const wait of [
    (ctx: ActionContext) => delay(60_000, undefined, { signal: ctx.signal }),
    (ctx: ActionContext) => ctx.throwIfCancelled(),
    (ctx: ActionContext) => fetch("http://127.0.0.1:9/", { signal: ctx.signal }),
  ]) {
    assert.equal(
      await failure(
        runAction(
          code((_, ctx) => wait(ctx)),
          call(t, { signal: AbortSignal.abort(reason) }).call,
        ),
      ),
      reason,
    );
  }
  const plain = await failure(
    runAction(
      code((_, ctx) => ctx.throwIfCancelled()),
      call(t, { signal: AbortSignal.abort() }).call,
    ),
  );
  assert.equal(plain.reason, "CANCELLED");
});

test("another exception of a cancelled action is its own failure, and a result stays a result", async (t) => {
  const signal = AbortSignal.abort();
  const broken = code(() => {
    throw new SyntaxError("other");
  });
  assert.equal((await failure(runAction(broken, call(t, { signal }).call))).reason, "ACTION_FAILED");
  const kept = code(() => "kept");
  assert.equal((await runAction(kept, call(t, { signal }).call)).value, "kept");
});

test("the stack is the plugin's alone", async (t) => {
  class OwnError extends Error {}
  const broken = defineAction({
    run: function train() {
      throw new OwnError("own");
    },
  });
  const error = await failure(runAction(broken, call(t).call));
  assert.equal(error.exceptionType, "OwnError");
  assert.match(error.pluginStack, /^Error: own\n {4}at .*train.*run-action\.test\.ts:\d+:\d+\)$/);
});

for (const [what, thrown] of [
  ["null", null],
  ["an object", { code: 5 }],
  ["a hostile Error", Object.defineProperty(new Error(), "message", { get: () => assert.fail("no") })],
] as const) {
  test(`${what} that is thrown is an ACTION_FAILED`, async (t) => {
    const error = await failure(
      runAction(
        code(() => Promise.reject(thrown)),
        call(t).call,
      ),
    );
    assert.equal(error.reason, "ACTION_FAILED");
  });
}
