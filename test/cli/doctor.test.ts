import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeCertificates, withoutCertificates } from "../support/certificates.ts";
import { FakeDashboard } from "../support/fake-dashboard.ts";
import { command } from "./command.ts";

test("doctor says what plugins are run with here", async () => {
  const { code, out } = await command(["doctor"]);
  assert.equal(code, 0);
  assert.match(out, new RegExp(`ok   Node +${process.versions.node}`));
  assert.match(out, /ok {3}Python +3\.\d+/);
});

test("doctor fails for a Python that is not there, and says what to do", async () => {
  const { code, out } = await command(["doctor", "--python", "no-such-python"]);
  assert.equal(code, 1);
  assert.match(out, /FAIL Python .*no-such-python.*Install Python/);
});

test("doctor takes no file for a data directory", async () => {
  const { code, err } = await command(["doctor", "--data-dir", import.meta.filename]);
  assert.equal(code, 2);
  assert.match(err, /is not there, or is no directory/);
});

test("doctor says of a service that is not there that it does not answer", async () => {
  const { code, out } = await command(["doctor", "--address", "127.0.0.1:1"]);
  assert.equal(code, 5);
  assert.match(out, /^FAIL service +.*127\.0\.0\.1:1/m);
});

test("doctor says of a cluster that is not there that it cannot be reached", async () => {
  const { code, out } = await command(["doctor", "--ray", "http://127.0.0.1:1", "--json"]);
  assert.equal(code, 5);
  const ray: unknown = JSON.parse(out).find(({ subject }: { subject: string }) => subject === "Ray");
  assert.partialDeepStrictEqual(ray, { state: "bad" });
  assert.match(JSON.stringify(ray), /cannot be reached/);
});

test("doctor says that a cluster wants another token, and does not try the rest", async () => {
  await using dashboard = await FakeDashboard.start(() => ({ status: 401, body: "Unauthorized" }));
  const { code, out } = await command(["doctor", "--ray", dashboard.address]);
  assert.equal(code, 5);
  assert.match(out, /FAIL Ray .*RAY_AUTH_TOKEN/);
  assert.doesNotMatch(out, /gateway/);
});

test("doctor says that a Ray is older than any that was tried", async () => {
  await using dashboard = await FakeDashboard.start(({ path }) =>
    path === "/api/version"
      ? { body: JSON.stringify({ version: "4", ray_version: "2.9.0", ray_commit: "c", session_name: "s" }) }
      : { status: 500 },
  );
  const { out } = await command(["doctor", "--ray", dashboard.address]);
  assert.match(out, /warn Ray +2\.9\.0/);
});

test("doctor says that a certificate is not trusted, and how it can be", { skip: withoutCertificates }, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "doctor-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const { server } = makeCertificates(dir);
  const dashboard = createServer({ cert: readFileSync(server.cert), key: readFileSync(server.key) }).listen(0);
  t.after(() => dashboard.close());
  await once(dashboard, "listening");
  const address = dashboard.address();
  assert.ok(address !== null && typeof address === "object");
  const { code, out } = await command(["doctor", "--ray", `https://localhost:${address.port}`]);
  assert.equal(code, 5);
  assert.match(out, /FAIL Ray .*--ray-ca/);
});

test("doctor says that an address is no dashboard's", async () => {
  await using server = await FakeDashboard.start(() => ({ status: 404, body: "Not Found" }));
  assert.match(
    (await command(["doctor", "--ray", server.address])).out,
    /FAIL Ray .*Check that the address is a dashboard's/,
  );
});

test("an address that is none is a mistake of the command line", async () => {
  assert.equal((await command(["doctor", "--ray", "head:8265"])).code, 2);
});
