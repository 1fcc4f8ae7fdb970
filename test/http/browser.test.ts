import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { Pages, withoutChromium as skip } from "../support/chromium.ts";
import { patienceMs } from "../support/limits.ts";
import { TcpProxy } from "../support/proxy.ts";
import { project, startServer } from "../support/server.ts";

const examples = [join(project, "examples/plugins")];
const clients = [join(project, "test/fixtures/clients")];

test("the browser guide's snippets do in a browser what they say", { skip, timeout: patienceMs }, async () => {
  const guide = readFileSync(join(project, "docs/browser-client.md"), "utf8");
  const snippets = [...guide.matchAll(/```js\n(.*?)\n```/gs)].map(([, snippet]) => snippet);
  await using pages = await Pages.open();
  await using server = await serve(examples, pages.origin);
  const text = await pages.run(snippets.join("\n").replace("127.0.0.1:8080", server.httpAddress));
  assert.match(text, /^344 rows, 7 columns5 groups[0-9a-f]{32} has ended\/params\/dataset must be one of /);
});

test("a watch in a browser goes on after its connection is cut, with every event once and in order", {
  skip,
  timeout: patienceMs,
}, async (t) => {
  await using pages = await Pages.open();
  await using server = await serve(clients, pages.origin);
  await using proxy = await TcpProxy.listen(server.httpAddress);
  const cutter = createServer((socket) => {
    proxy.cut();
    socket.destroy();
  }).listen(0, "127.0.0.1");
  await once(cutter, "listening");
  t.after(() => cutter.close());
  const text = await pages.run(`
    import { connect } from "plugin-runner/browser";
    const client = connect({ baseUrl: "http://${proxy.address}" });
    const job = await client.submitJob("cases", "ticks", { count: 20, pause_ms: 20 });
    const sequences = [];
    let cuts = 0;
    for await (const { event } of client.watchJob(job.id, { onRetry: () => cuts++ })) {
      if (event === undefined) continue;
      sequences.push(Number(event.sequence));
      if ([3, 9].includes(sequences.length)) await fetch("${urlOf(cutter)}").catch(() => {});
    }
    document.body.textContent = JSON.stringify({ cuts, sequences, result: await job.result() });
  `);
  const { cuts, sequences, result } = JSON.parse(text);
  assert.equal(result, 20);
  assert.ok(cuts >= 2, `the stream was cut ${cuts} times`);
  assert.deepEqual(
    sequences,
    sequences.map((_: number, at: number) => at + 1),
  );
});

test("a page whose origin is not allowed gets no answer and runs nothing", { skip, timeout: patienceMs }, async () => {
  await using pages = await Pages.open();
  await using server = await serve(clients, pages.origin);
  const text = await pages.run(
    `
    import { connect } from "plugin-runner/browser";
    const client = connect({ baseUrl: "http://${server.httpAddress}" });
    try {
      await client.submitJob("cases", "ticks", {});
    } catch (error) {
      document.body.textContent = error.name + " " + error.reason;
    }
    `,
    pages.origin.replace("127.0.0.1", "localhost"),
  );
  assert.equal(text, "ExecutionError FORBIDDEN");
  for await (const job of server.client.listJobs()) assert.fail(`${job.jobId} was submitted`);
});

function urlOf(server: Server): string {
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return `http://127.0.0.1:${address.port}`;
}

function serve(roots: readonly string[], origin: string) {
  return startServer({ roots, args: ["--http-listen", "127.0.0.1:0", "--http-allow-origin", origin] });
}
