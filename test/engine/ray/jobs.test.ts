import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { connect, JobState } from "../../../src/client.ts";
import { kill } from "../../../src/util/process.ts";
import { ZipWriter } from "../../../src/util/zip.ts";
import { CallersPort } from "../../conformance/callers-port.ts";
import { outOfTime } from "../../conformance/out-of-time.ts";
import { collect, failure, payloads, running } from "../../conformance/run.ts";
import { tempTree } from "../../plugin/temp-tree.ts";
import { FakeDashboard, type Reaction, type Seen } from "../../support/fake-dashboard.ts";
import { patience, patienceMs } from "../../support/limits.ts";
import { startRay, type TestRay } from "../../support/ray.ts";
import { fixtures, startServer, type TestServer } from "../../support/server.ts";

let ray: TestRay;
let server: TestServer;

/** The service's own options: a grace that is soon over, and no wait where none is needed. */
const options = ["--grace", "2s", "--local", "worker"];

describe("jobs on Ray", { timeout: 10 * patienceMs }, () => {
  before(async () => {
    ray = await startRay();
    server = await serve(ray.address);
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    await ray?.[Symbol.asyncDispose]();
  });

  for (const language of ["python", "javascript"]) {
    test(`a ${language} job has its events in order, and Ray's pages show who it is`, async () => {
      const job = await server.client.submitJob(`${language}-reporting`, "report");
      const events = await collect(job.events());
      assert.deepEqual(
        events.map(({ sequence }) => Number(sequence)),
        events.map((_, index) => index + 1),
      );
      const states = payloads(events, "stateChanged");
      assert.equal(states.at(-1)?.state, JobState.RUNNING);
      assert.ok(states.some(({ detail }) => detail === "setting up the environment"));
      assert.equal(payloads(events, "progress").at(-1)?.current, 4);
      assert.equal(events.at(-1)?.payload.case, "result");
      const there = `/api/jobs/${await rayIdOf(job.id)}`;
      const record = await askRay(there);
      assert.match(record, new RegExp(`"plugin": "${language}-reporting".*"action": "report"`));
      assert.match(await askRay(`${there}/logs`), /printed/);
      await server.client.deleteJob(job.id);
      const signal = patience();
      while (!/does not exist/.test(await askRay(there))) await delay(100, undefined, { signal });
    });
  }

  test("a job that is submitted again under its id after it was deleted is a new one, and the files of the other go", async () => {
    const submit = () => server.client.submitJob("python-values", "echo", { value: 1 }, { jobId: "again" });
    const first = await submit();
    assert.equal(await first.result(), 1);
    const [events = ""] = filesOf("again");
    assert.match(events, /^plugin-runner-again-.*\.events$/);
    const id = await rayIdOf("again");
    await server.client.deleteJob("again");
    const second = await submit();
    const times = payloads(await collect(second.events()), "stateChanged");
    assert.equal(await rayIdOf("again"), id);
    assert.ok(times.length > 0);
    const signal = AbortSignal.timeout(90_000);
    while (filesOf("again").includes(events)) await delay(200, undefined, { signal });
    assert.equal(filesOf("again").length, 1);
    assert.equal(
      readdirSync(join(ray.session(), "plugin-runner")).filter((name) => name.startsWith("again-")).length,
      1,
    );
    while (/plugin-runner-removal/.test(await askRay("/api/jobs/"))) await delay(200, undefined, { signal });
    await server.client.deleteJob("again");
    while (filesOf("again").length > 0) await delay(200, undefined, { signal });
  });

  test("neither params nor variables of a job show in Ray's pages", async () => {
    const env = { SECRET: "s3cret" };
    const job = await server.client.submitJob("python-values", "echo", { value: "t0ken" }, { env });
    assert.equal(await job.result(), "t0ken");
    assert.match(await askRay("/api/jobs/"), new RegExp(job.id));
    assert.doesNotMatch(await askRay("/api/jobs/"), /s3cret|t0ken/);
    assert.doesNotMatch(await askRay(`/api/jobs/${await rayIdOf(job.id)}/logs`), /s3cret|t0ken/);
  });

  test("a job that is cancelled ends in its own way", async () => {
    await using port = await CallersPort.open();
    const job = await server.client.submitJob("python-endless", "polite", { port: port.number });
    const action = await port.connection();
    await running(server.client, job.id);
    await job.cancel();
    assert.equal(await action.closed, "tidied up\n");
    assert.equal((await failure(job.result())).reason, "CANCELLED");
  });

  test("a job that ignores SIGTERM is killed with all that it started", async () => {
    await using port = await CallersPort.open();
    const job = await server.client.submitJob("python-endless", "spreading", { port: port.number });
    const both = [await port.connection(), await port.connection()];
    await running(server.client, job.id);
    await job.cancel();
    await Promise.all(both.map(({ closed }) => closed));
    assert.equal((await failure(job.result())).reason, "CANCELLED");
  });

  test("a job that waits for resources says so, and can be cancelled", async () => {
    const resources = { cpus: 64 };
    const job = await server.client.submitJob("python-reporting", "count", {}, { resources });
    for await (const { event } of server.client.watchJob(job.id)) {
      if (event?.payload.case === "stateChanged" && /resources/.test(event.payload.value.detail)) break;
    }
    await job.cancel();
    assert.equal((await failure(job.result())).reason, "CANCELLED");
  });

  test("a job gets the resources that it asks for", async () => {
    const resources = { cpus: 1, memoryMib: 512 };
    const job = await server.client.submitJob("python-reporting", "count", {}, { resources });
    assert.equal(await job.result(), 3);
    const gpus = await failure(server.client.submitJob("python-reporting", "count", {}, { resources: { gpus: 1.5 } }));
    assert.equal(gpus.reason, "REQUEST_INVALID");
  });

  test("a job past its timeout is DEADLINE", async () => {
    await outOfTime(1, async (port, timeoutMs) =>
      (await server.client.submitJob("python-endless", "deaf", { port }, { timeoutMs })).result(),
    );
  });

  test("a job whose driver is killed is WORKER_LOST, with the signal and what it wrote last", async () => {
    await using port = await CallersPort.open();
    const job = await server.client.submitJob("python-endless", "waiting", { port: port.number });
    const action = await port.connection();
    kill(driver(job.id), "SIGKILL");
    const error = await failure(job.result());
    assert.equal(error.reason, "WORKER_LOST");
    assert.equal(error.metadata.signal, "SIGKILL");
    assert.match(error.metadata.stderr_tail ?? "", /Running entrypoint/);
    await action.closed;
  });

  test("an environment that Ray cannot set up is PLUGIN_INVALID, with what pip said", async (t) => {
    const root = tempTree(t, {
      "broken/config.yaml": [
        "name: Broken",
        "code: broken",
        "runtime_env: {pip: [/no/such/package]}",
        "actions: {run: {entrypoint: 'plugin:run', params: {}}}",
      ].join("\n"),
      "broken/plugin.py": "def run(): pass\n",
    });
    await using own = await serve(ray.address, [root]);
    const error = await failure((await own.client.submitJob("broken", "run")).result());
    assert.equal(error.reason, "PLUGIN_INVALID");
    assert.match(error.message, /^The environment of plugin broken cannot be set up on Ray: [^\n]*no.such.package/);
  });

  test("requirements are installed, from the wheels of the plugin too", async (t) => {
    const root = tempTree(t, {
      "needy/config.yaml": [
        "name: Needy",
        "code: needy",
        "package_manager_options: [--no-index]",
        "actions: {run: {entrypoint: 'plugin:run', params: {}}}",
      ].join("\n"),
      "needy/plugin.py": "def run():\n    import tiny\n    return tiny.answer\n",
      "needy/requirements.txt": "tiny==1  # it stands in wheels/\n",
      "needy/wheels/.keep": "",
    });
    writeFileSync(join(root, "needy/wheels/tiny-1-py3-none-any.whl"), await tinyWheel());
    await using own = await serve(ray.address, [root]);
    assert.equal(await (await own.client.submitJob("needy", "run")).result(), 42);
  });

  test("a JavaScript job has the packages that stand beside its plugin", async (t) => {
    const root = tempTree(t, {
      "packed/config.yaml": "name: Packed\ncode: packed\nactions: {run: {entrypoint: './index.js#run', params: {}}}\n",
      "packed/index.js": 'import { answer } from "tiny";\nexport const run = () => answer;\n',
      "packed/package.json": '{"type": "module", "dependencies": {"tiny": "1"}}',
      "packed/node_modules/tiny/package.json": '{"name": "tiny", "type": "module", "exports": "./tiny.js"}',
      "packed/node_modules/tiny/tiny.js": "export const answer = 42;\n",
    });
    await using own = await serve(ray.address, [root]);
    assert.equal(await (await own.client.submitJob("packed", "run")).result(), 42);
  });

  test("a job that is cancelled at once ends as CANCELLED, whatever had reached the cluster", async () => {
    for (const waitMs of [0, 20, 100, 400]) {
      await using port = await CallersPort.open();
      const job = await server.client.submitJob("python-endless", "waiting", { port: port.number });
      await delay(waitMs);
      await job.cancel();
      assert.equal((await failure(job.result())).reason, "CANCELLED");
      const record = JSON.parse(await askRay(`/api/jobs/${await rayIdOf(job.id)}`));
      assert.ok(["SUCCEEDED", "STOPPED", "PENDING", "RUNNING"].includes(record.status), record.status);
    }
  });

  test("of submissions of one id through two services, one runs and all see it", async () => {
    await using other = await serve(ray.address);
    await using port = await CallersPort.open();
    const same = { jobId: "twice" };
    const jobs = await Promise.all(
      [server, other, server, other].map(({ client }) =>
        client.submitJob("python-endless", "waiting", { port: port.number }, same),
      ),
    );
    const action = await port.connection();
    action.send("go");
    assert.deepEqual(await Promise.all(jobs.map((job) => job.result())), ["go", "go", "go", "go"]);
    assert.equal(port.waiting, 0);
  });

  test("submissions of other content under the same id, through another service, are jobs of their own", async () => {
    await using other = await serve(ray.address);
    const submit = ({ client }: TestServer, value: string) =>
      client.submitJob("python-values", "echo", { value }, { jobId: "theirs-and-mine" });
    const [mine, theirs] = await Promise.all([submit(server, "mine"), submit(other, "theirs")]);
    assert.deepEqual([await mine.result(), await theirs.result()], ["mine", "theirs"]);
  });

  test("a submission whose answer is lost is found again and runs once", async (t) => {
    let submissions = 0;
    const { own } = await behind(t, ({ path, body }) =>
      path === "/api/jobs/" && /plugin_runner\.ray_job/.test(body) && ++submissions === 1 ? "lose" : "forward",
    );
    const job = await own.client.submitJob("python-reporting", "count", { upto: 2 });
    assert.equal(await job.result(), 2);
    assert.equal(payloads(await collect(job.events()), "log").length, 2);
    assert.equal(submissions, 1);
  });

  test("streams that are cut cost no event and repeat none", async (t) => {
    let streams = 0;
    const { own } = await behind(t, ({ path }) => (/logs.stream/.test(path) && ++streams < 8 ? "cut" : "forward"));
    const job = await own.client.submitJob("python-reporting", "count", { upto: 100 });
    const events = await collect(job.events());
    assert.deepEqual(
      payloads(events, "log").map(({ message }) => Number(message)),
      Array.from({ length: 100 }, (_, index) => index),
    );
    assert.equal(events.at(-1)?.payload.case, "result");
    assert.ok(streams > 0);
  });

  test("a dashboard without streams to spare is asked for the file now and then", async (t) => {
    const { fake, own } = await behind(t, ({ path }) => (path.includes("/logs/stream") ? { status: 429 } : "forward"));
    const job = await own.client.submitJob("python-reporting", "count", { upto: 3 });
    assert.equal(await job.result(), 3);
    assert.ok(fake.count("GET", /logs.file/) > 0);
  });

  test("kill -9 of the service right after a submission loses no job and doubles none", async () => {
    await using own = await serve(ray.address);
    await using port = await CallersPort.open();
    const job = await own.client.submitJob("python-endless", "waiting", { port: port.number });
    await own.end("SIGKILL");
    await own.start();
    const action = await port.connection();
    action.send("go");
    const events = await collect(job.events());
    assert.equal(events.at(-1)?.payload.case, "result");
    assert.deepEqual(
      events.map(({ sequence }) => Number(sequence)),
      events.map((_, index) => index + 1),
    );
    assert.equal(port.waiting, 0);
  });

  test("a service whose cluster is away says so at once, and starts what was submitted before once it is there", async (t) => {
    let away = false;
    const { own } = await behind(t, () => (away ? "reset" : "forward"));
    const client = connect({ address: own.address, retryForMs: 0 });
    t.after(() => client.close());
    const submit = () => client.submitJob("python-reporting", "count", { upto: 1 });
    await (await submit()).result();
    away = true;
    const waiting = await submit();
    await own.logged("the Ray cluster is away");
    const refused = await failure(submit());
    assert.equal(refused.reason, "ENGINE_UNAVAILABLE");
    assert.ok((refused.retryAfterMs ?? 0) > 0);
    away = false;
    assert.equal(await waiting.result(), 1);
  });
});

function serve(address: string, roots: readonly string[] = [fixtures]): Promise<TestServer> {
  return startServer({ roots, args: ["--ray", address, ...options] });
}

/** A service whose dashboard is a fake in front of the real one. */
async function behind(t: TestContext, react: (seen: Seen, nth: number) => Reaction) {
  const fake = await FakeDashboard.start(react, ray.address);
  const own = await serve(fake.address);
  t.after(async () => {
    await own[Symbol.asyncDispose]();
    await fake[Symbol.asyncDispose]();
  });
  return { fake, own };
}

/** A package as an index would have it. */
async function tinyWheel(): Promise<Buffer> {
  const zip = new ZipWriter();
  const about = {
    METADATA: "Metadata-Version: 2.1\nName: tiny\nVersion: 1\n",
    WHEEL: "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    RECORD: "tiny.py,,\ntiny-1.dist-info/METADATA,,\ntiny-1.dist-info/WHEEL,,\ntiny-1.dist-info/RECORD,,\n",
  };
  const files = { "tiny.py": "answer = 42\n", ...prefixed("tiny-1.dist-info/", about) };
  for (const [name, text] of Object.entries(files)) {
    await zip.add({ name, content: Buffer.from(text), executable: false });
  }
  return zip.end();
}

function prefixed(prefix: string, files: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([name, text]) => [prefix + name, text]));
}

async function askRay(path: string): Promise<string> {
  const response = await fetch(ray.address + path);
  return response.text();
}

/** Ray's own id of a job. */
async function rayIdOf(jobId: string): Promise<string> {
  const jobs: { submission_id: string; metadata?: { job_id?: string } }[] = JSON.parse(await askRay("/api/jobs/"));
  const found = jobs.find(({ metadata }) => metadata?.job_id === jobId);
  assert.ok(found, `Ray has no job ${jobId}`);
  return found.submission_id;
}

/** The files in Ray's log folder of a job and of those whose ids begin with its id. */
function filesOf(jobId: string): string[] {
  return readdirSync(join(ray.session(), "logs")).filter((name) => name.startsWith(`plugin-runner-${jobId}-`));
}

/** The pid of the process that Ray started for a job. */
function driver(jobId: string): number {
  const command = `plugin_runner.ray_job\0${jobId}`;
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && commandLine(name).includes(command));
  return Math.min(...pids.map(Number));
}

function commandLine(pid: string): string {
  try {
    return readFileSync(join("/proc", pid, "cmdline"), "utf8");
  } catch {
    return "";
  }
}
