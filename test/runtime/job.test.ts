import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { startTime } from "../../src/util/process.ts";
import type { EventRecord, JobSpec } from "../../src/worker/messages.ts";
import { bindingOf } from "./support/worker.ts";

const program = fileURLToPath(new URL("../../src/runtime/job.ts", import.meta.url));
const binding = bindingOf("jobs", { env: { FROM_PLUGIN: "p" } });

test("a job's events, output and result are in its events file, exit last", async (t) => {
  const { dir, spec, run } = job(t, "report", { params: { a: 1 }, env: { FROM_JOB: "j" } });
  const events = await run();
  assert.equal(events[0]?.type, "started");
  assert.deepEqual(without(find(events, "progress")), { step: "train", current: 1, total: 4, message: "first" });
  assert.deepEqual(without(find(events, "metrics")), {
    step: "train",
    values: { loss: 0.5, worst: "Infinity" },
    non_finite: ["/worst"],
  });
  assert.deepEqual(logs(events), [
    ["LOGGER", "WARNING", "noted"],
    ["STDERR", "", "complained"],
    ["STDOUT", "", "printed"],
    ["STDOUT", "", "without an end"],
  ]);
  assert.deepEqual(without(find(events, "artifact")), {
    name: "model.bin",
    uri: pathToFileURL(join(dir, "artifacts", "model.bin")).href,
    media_type: "application/octet-stream",
    size_bytes: 3,
    sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    metadata: { epochs: 3 },
  });
  const env = { FROM_PLUGIN: "p", FROM_JOB: "j" };
  const value = { params: { a: 1 }, env, jobId: spec.job_id, cwd: binding.root };
  assert.deepEqual(without(find(events, "result")), { value });
  const exit = { code: 0, signal: null, timed_out: false, stopped_by: null, stderr_tail: "complained\n" };
  assert.deepEqual(without(events.at(-1)), exit);
});

test("what the job was given may be secret, and is gone with its last record", async (t) => {
  const { dir, start, written } = job(t, "plain");
  const supervisor = start();
  await written('"exit"');
  assert.equal(existsSync(join(dir, "spec.json")), false);
  await ended(supervisor);
});

test("a second process for the same folder leaves the job to the first", async (t) => {
  const { dir, run } = job(t, "plain");
  const events = await run();
  const identity = readFileSync(join(dir, "started"), "utf8");
  assert.deepEqual(await run(), events);
  assert.equal(readFileSync(join(dir, "started"), "utf8"), identity);
  assert.match(identity, /^\{"pid":\d+,"start_time":"\d*"\}$/);
});

test("output beyond the limit is dropped, counted and said so twice; the result still arrives", async (t) => {
  const { dir, run } = job(t, "flood", { output_limit_bytes: 100_000 });
  const events = await run();
  const said = logs(events).flatMap(([source, , message]) => (source === "SERVICE" ? [message] : []));
  const kept = logs(events).filter(([source]) => source === "STDOUT");
  const dropped = 64 * 65_536 - kept.length;
  assert.equal(said.length, 2);
  assert.ok(
    said.includes("The job's output has reached its limit of 100000 bytes or 80000 events: what follows is left out."),
  );
  assert.ok(said.some((message) => message?.startsWith(`Left out ${dropped} lines of output in all, `)));
  assert.ok(statSync(join(dir, "events.jsonl")).size < 110_000);
  assert.deepEqual(without(find(events, "result")), { value: "done" });
});

test("a long line is cut and says by how much", async (t) => {
  const { run } = job(t, "longLine", { line_limit_bytes: 100 });
  assert.deepEqual(logs(await run()), [["STDOUT", "", `${"x".repeat(100)}… [+${16 * 2 ** 20 - 100} bytes]`]]);
});

test("an exit of the plugin loses nothing that was reported before", async (t) => {
  const { run } = job(t, "hardExit");
  const events = await run();
  assert.equal(find(events, "progress").current, 1);
  assert.deepEqual(logs(events), [["STDOUT", "", "before"]]);
  assert.equal(find(events, "error").error.exception_type, "ProcessExit");
  assert.equal(find(events, "exit").code, 3);
});

test("a promise that never settles fails the job at once", async (t) => {
  const { run } = job(t, "neverSettles");
  const { error } = find(await run(), "error");
  assert.deepEqual([error.reason, /never settles/.test(error.message)], ["ACTION_FAILED", true]);
});

test("a result beyond the limit is refused", async (t) => {
  const { run } = job(t, "large", { result_limit_bytes: 1000 });
  const { error } = find(await run(), "error");
  assert.equal(error.reason, "RESULT_INVALID");
  assert.equal(error.metadata?.size_bytes, "5002");
});

test("a stop is the plugin's to answer: an action that waits on its signal ends as cancelled", async (t) => {
  const { start, written } = job(t, "polite");
  const supervisor = start();
  await written("waiting");
  supervisor.kill("SIGUSR2");
  const events = await ended(supervisor);
  assert.equal(find(events, "error").error.reason, "CANCELLED");
  const { code, timed_out: timedOut, stopped_by: stoppedBy } = find(events, "exit");
  assert.deepEqual([code, timedOut, stoppedBy], [1, false, "SERVICE"]);
});

for (const reached of ["the supervisor", "the child", "both"]) {
  test(`a stop that the service did not ask for is told, when it reaches ${reached}`, async (t) => {
    const { start, written } = job(t, "returnsOnCancel", { grace_seconds: 30 });
    const supervisor = start();
    const [, pid] = /"pid":(\d+)/.exec(await written("waiting")) ?? [];
    if (reached !== "the supervisor") process.kill(Number(pid), "SIGTERM");
    if (reached !== "the child") supervisor.kill("SIGTERM");
    const events = await ended(supervisor);
    assert.equal(find(events, "result").value, "so far");
    assert.equal(find(events, "exit").stopped_by, "SIGTERM");
  });
}

if (existsSync("/dev/full")) {
  test("a job whose events cannot be written is ended in time, and says why it leaves no word", async (t) => {
    const { dir, start } = job(t, "polite", { timeout_seconds: 0.5 });
    symlinkSync("/dev/full", join(dir, "events.jsonl"));
    const watcher = watch(dir);
    const supervisor = start("pipe");
    while (existsSync(join(dir, "spec.json"))) await once(watcher, "change");
    watcher.close();
    supervisor.kill("SIGUSR2");
    const said = supervisor.stderr ? await text(supervisor.stderr) : "";
    assert.match(said, /How the job ended could not be written to its events: ENOSPC/);
    assert.equal(supervisor.exitCode ?? (await once(supervisor, "exit"))[0], 1);
  });
}

test("what ignores SIGTERM is killed after the grace, and so is what left the process group", async (t) => {
  const { start, written } = job(t, "stubborn", { grace_seconds: 0.2 });
  const supervisor = start();
  const [, pid] = /grandchild (\d+)/.exec(await written("grandchild")) ?? [];
  supervisor.kill("SIGUSR2");
  const exit = find(await ended(supervisor), "exit");
  assert.deepEqual([exit.code, exit.signal], [null, "SIGKILL"]);
  assert.equal(startTime(Number(pid)), undefined, "the grandchild is gone");
});

if (process.platform === "linux") {
  test("what left its session and cleared its environment does not outlive the job", async (t) => {
    const { run } = job(t, "hides", { scope: randomUUID() });
    const { value } = find(await run(), "result");
    assert.equal(startTime(Number(value)), undefined);
  });
}

test("the time limit stops a job and says so", async (t) => {
  const { run } = job(t, "polite", { timeout_seconds: 0.3 });
  const events = await run();
  assert.equal(find(events, "exit").timed_out, true);
});

test("a job that outgrows its memory ends, and its last words are kept", async (t) => {
  const { run } = job(t, "memory", { memory_mib: 48 });
  const exit = find(await run(), "exit");
  assert.equal(exit.signal, "SIGABRT");
  assert.match(exit.stderr_tail, /./);
});

test("a plugin whose folder is gone fails with a reason", async (t) => {
  const { run } = job(t, "report", { binding: { ...binding, root: "/no/such/folder" } });
  const events = await run();
  assert.equal(find(events, "error").error.reason, "WORKER_LOST");
  assert.equal(find(events, "exit").code, 127);
});

if (existsSync("/usr/bin/prlimit")) {
  test("the memory limit holds for buffers as well", async (t) => {
    const { run } = job(t, "buffers", { memory_mib: 64 });
    assert.equal(find(await run(), "error").error.exception_type, "RangeError");
  });
}

test("a job that was described in another version of the protocol fails with both versions, and runs nothing", async (t) => {
  const { dir, run } = job(t, "plain", { protocol: 2 });
  const events = await run();
  assert.deepEqual(
    events.map(({ type }) => type),
    ["error", "exit"],
  );
  const { reason, metadata, message } = find(events, "error").error;
  assert.equal(reason, "PLUGIN_INVALID");
  assert.partialDeepStrictEqual(metadata, { worker_protocol: "1", service_protocol: "2" });
  assert.match(message, /install the service's version/);
  assert.equal(existsSync(join(dir, "spec.json")), false);
});

function job(t: TestContext, action: string, more: Partial<JobSpec> = {}) {
  const dir = mkdtempSync(join(tmpdir(), "job-"));
  const file = join(dir, "events.jsonl");
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const spec: JobSpec = {
    protocol: 1,
    job_id: "job-1",
    binding,
    action,
    entrypoint: `./actions.ts#${action}`,
    params: {},
    env: {},
    timeout_seconds: null,
    grace_seconds: 3,
    memory_mib: null,
    output_limit_bytes: 10 * 1024 * 1024,
    max_events: 100_000,
    line_limit_bytes: 16_384,
    result_limit_bytes: 4_128_768,
    work_dir: join(dir, "work"),
    scope: basename(dir),
    ...more,
  };
  writeFileSync(join(dir, "spec.json"), JSON.stringify(spec), { mode: 0o600 });
  const start = (stderr: "inherit" | "pipe" = "inherit") => {
    const supervisor = spawn(process.execPath, [program, dir], { stdio: ["ignore", "inherit", stderr] });
    t.after(() => supervisor.exitCode ?? supervisor.kill("SIGKILL"));
    files.set(supervisor, file);
    return supervisor;
  };
  return { dir, spec, start, run: () => ended(start()), written: (text: string) => written(dir, file, text) };
}

const files = new WeakMap<ChildProcess, string>();

async function ended(supervisor: ChildProcess): Promise<EventRecord[]> {
  const [code] = await once(supervisor, "exit");
  assert.equal(code, 0);
  const lines = readFileSync(files.get(supervisor) ?? "", "utf8")
    .trimEnd()
    .split("\n");
  return lines.map((line): EventRecord => JSON.parse(line));
}

/** The events file's text, once a text stands in it. */
async function written(dir: string, file: string, text: string): Promise<string> {
  const read = () => (existsSync(file) ? readFileSync(file, "utf8") : "");
  const watcher = watch(dir);
  try {
    while (!read().includes(text)) await once(watcher, "change");
    return read();
  } finally {
    watcher.close();
  }
}

function find<T extends EventRecord["type"]>(events: readonly EventRecord[], type: T) {
  const found = events.filter((event): event is Extract<EventRecord, { type: T }> => event.type === type);
  const [event] = found;
  assert.ok(event !== undefined && found.length === 1, `one ${type}, not ${found.length}`);
  return event;
}

/** Without what differs from run to run. */
function without(event: EventRecord | undefined): object {
  assert.ok(event);
  const { type, time, ...rest } = event;
  assert.ok(time > 1_700_000_000 && time < 1e11, `${type} at ${time}`);
  return rest;
}

function logs(events: readonly EventRecord[]): string[][] {
  return events.flatMap((event) => (event.type === "log" ? [[event.source, event.level, event.message]] : [])).sort();
}
