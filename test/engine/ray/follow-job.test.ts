import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { Dashboard } from "../../../src/engine/ray/dashboard.ts";
import { createRayJobEngine } from "../../../src/engine/ray/job-engine.ts";
import { silentLog } from "../../../src/util/log.ts";
import { FakeDashboard, type Reaction } from "../../support/fake-dashboard.ts";

const id = "j-01234567";
const events = '{"time":1,"type":"log"}\n{"time":2,"type":"exit"}\n';
const page = "<html>Nothing here</html>";
const html = { "content-type": "text/html" };
const denied = { status: 404, body: `Job ${id} does not exist` };

/** What stands in for the part of a dashboard that fails, by how it is told of. */
const broken: readonly (readonly [string, Reaction])[] = [
  ["500", { status: 500, body: "Traceback" }],
  ["a 404 of a proxy", { status: 404, headers: html, body: page }],
  ["a page of a proxy", { headers: html, body: page }],
  ["other JSON", { headers: { "content-type": "application/json" }, body: "{}" }],
  ["503", { status: 503 }],
];

describe("following a job on Ray", { concurrency: true, timeout: 120_000 }, () => {
  for (const status of ["SUCCEEDED", "FAILED", "STOPPED"]) {
    for (const [title, reaction] of status === "SUCCEEDED" ? broken : broken.slice(0, 1)) {
      test(`a job that ${status} has its events read however long the log answers ${title}`, async (t) => {
        let looks = 0;
        const { follow } = await open(t, {
          logs: () => (++looks <= 7 ? reaction : logs(events)),
          job: () => row(status),
        });
        assert.equal(await follow(), events);
        assert.equal(looks, 8);
      });
    }
  }

  test("an answer with less than was read before is no end", async (t) => {
    let looks = 0;
    const { follow } = await open(t, { logs: () => logs(++looks === 1 ? "" : events), job: () => row("SUCCEEDED") });
    assert.equal(await follow(24), events.slice(24));
  });

  for (const status of ["SUCCEEDED", "FAILED", "STOPPED"]) {
    test(`a job that ${status} whose events cannot be read for long ends with Ray's own word`, async (t) => {
      const { engine, follow } = await open(t, { logs: () => ({ status: 500 }), job: () => row(status) }, 0);
      assert.equal(await follow(), "");
      const why = await engine.explain?.(id);
      assert.equal(why?.reason, "WORKER_LOST");
      assert.match(why?.message ?? "", /The job (succeeded|failed|was stopped) on Ray, but .* could not be read/);
      assert.doesNotMatch(why?.message ?? "", /is gone/);
      assert.equal(why?.metadata.ray_status, status);
    });
  }

  test("a job that failed before it made its events ends at once", async (t) => {
    const missing = { status: 500, body: "A file is not found at: /tmp/x" };
    const { engine, follow } = await open(t, { logs: () => missing, job: () => row("FAILED") });
    assert.equal(await follow(), "");
    assert.match((await engine.explain?.(id))?.message ?? "", /The job's process is gone/);
  });

  for (const [title, reaction] of broken) {
    test(`a job that runs is not ended by ${title}`, async (t) => {
      let looks = 0;
      const job = () => (++looks <= 4 ? reaction : row("SUCCEEDED"));
      const { follow } = await open(t, { logs: () => logs(events), job });
      assert.equal(await follow(), events);
    });
  }

  test("a job that Ray denies is asked for again in each session", async (t) => {
    let looks = 0;
    let sessions = 0;
    const { follow } = await open(t, {
      logs: () => logs(events),
      job: () => (++looks <= 4 ? denied : row("SUCCEEDED")),
      version: () => version(`session_${++sessions}`),
    });
    assert.equal(await follow(), events);
  });

  test("a job that one session denies again and again is not known any more", async (t) => {
    const { engine, follow, fake } = await open(t, { logs: () => logs(events), job: () => denied });
    assert.equal(await follow(), "");
    assert.match((await engine.explain?.(id))?.message ?? "", /does not know the job any more/);
    assert.equal(fake.count("GET", /\/api\/jobs\//), 3);
  });
});

interface Parts {
  logs: () => Reaction;
  job: () => Reaction;
  version?: () => Reaction;
}

function row(status: string): Reaction {
  const metadata = { job_id: "j", submitted_by: "plugin-runner" };
  return { body: JSON.stringify({ submission_id: id, status, driver_node_id: "n", metadata }) };
}

function logs(body: string): Reaction {
  return { headers: { "content-type": "text/plain; charset=utf-8" }, body };
}

function version(session: string): Reaction {
  return { body: JSON.stringify({ ray_version: "2.60.0", session_name: session }) };
}

async function open(t: TestContext, parts: Parts, eventsPatienceMs?: number) {
  const { job, version: asked = () => version("session_1") } = parts;
  const fake = await FakeDashboard.start(({ path }) => {
    if (path.startsWith("/api/v0/logs/")) return parts.logs();
    return path.startsWith("/api/jobs/") ? job() : asked();
  });
  const dashboard = new Dashboard({ address: fake.address, log: silentLog });
  const limits = {
    graceMs: 500,
    loadTimeoutMs: 120_000,
    outputLimitBytes: 1000,
    maxEvents: 100_000,
    resultLimitBytes: 1000,
  };
  const patience = eventsPatienceMs !== undefined && { eventsPatienceMs };
  const engine = createRayJobEngine({ dashboard, ...limits, ...patience, log: silentLog });
  const ended = new AbortController();
  t.after(async () => {
    ended.abort();
    await engine.close();
    await dashboard.close();
    await fake[Symbol.asyncDispose]();
  });
  const follow = async (offset = 0) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of engine.follow(id, offset, ended.signal)) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };
  return { engine, fake, follow };
}
