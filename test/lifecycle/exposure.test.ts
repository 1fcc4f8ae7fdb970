import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type ConnectOptions, connect, RunnerError } from "../../src/client.ts";
import { makeCertificates, withoutCertificates as skip } from "../support/certificates.ts";
import { serveRefused, startServer } from "../support/server.ts";
import { smallDisk, withoutSmallDisk } from "../support/small-disk.ts";
import { begun, roots, scratch } from "./scratch.ts";

test("a second server on the same data is refused, and the first goes on", async () => {
  await using server = await startServer({ roots });
  const { code, said } = await serveRefused(["--listen", "127.0.0.1:0", "--data-dir", server.dataDir]);
  assert.equal(code, 2);
  assert.match(said, /^error: --data-dir .* cannot be used: Another server uses .*$/m);
  assert.equal(await server.client.runPlugin("counted", "quick", { starts: "" }), "quick");
});

test("a server whose address is taken ends, also when jobs of an earlier one still run", async (t) => {
  const files = scratch(t);
  await using taken = await startServer({ roots });
  await using server = await startServer({ roots });
  await server.client.submitJob("counted", "hold", files.params);
  await begun(files);
  await server.end("SIGKILL");
  const { code, said } = await serveRefused(["--listen", taken.address, "--data-dir", server.dataDir]);
  assert.equal(code, 2);
  assert.match(said, /^error: .*address already in use/m);
});

test("beyond loopback a server wants TLS, a token or --insecure", async (t) => {
  const { dir } = scratch(t);
  const { code, said } = await serveRefused(["--listen", "0.0.0.0:0", "--data-dir", dir]);
  assert.equal(code, 2);
  assert.match(said, /--listen 0\.0\.0\.0:0 .*--tls-cert and --tls-key, --token-file, or --insecure/);
});

test("all that is wrong with the ports is said at once", async (t) => {
  const { dir } = scratch(t);
  const { code, said } = await serveRefused([
    ...["--data-dir", dir, "--listen", "0.0.0.0", "--tls-key", "key.pem"],
    ...["--tls-client-ca", "ca.pem", "--http-listen", "127.0.0.1:0", "--http-allow-origin", "example.com"],
  ]);
  assert.equal(code, 2);
  assert.deepEqual(said.trim().split("\n"), [
    "error: --tls-key needs --tls-cert as well: a certificate and its key go together.",
    "error: --tls-client-ca needs --tls-cert and --tls-key.",
    "error: --listen 0.0.0.0 is not an address: write HOST:PORT.",
    "error: --http-allow-origin example.com is not an origin: write https://app.example.com.",
  ]);
});

test("a certificate with another's key names both options, and not the port", { skip }, async (t) => {
  const { dir } = scratch(t);
  const [one, other] = [certificates(t), certificates(t)];
  const { code, said } = await serveRefused([
    ...["--listen", "127.0.0.1:0", "--data-dir", dir],
    ...[...one.server.slice(0, 2), ...other.server.slice(2)],
  ]);
  assert.equal(code, 2);
  assert.match(said, /^error: --tls-key .* is the key of another certificate than --tls-cert .*\.\n$/);
});

test("a data directory that can hold no data is refused in one line", async (t) => {
  const { dir } = scratch(t);
  const file = join(dir, "file");
  writeFileSync(file, "");
  const long = join(dir, "x".repeat(300));
  for (const path of ["", file, join(file, "x"), long, "/proc/plugin-runner", "/dev/null"]) {
    const { code, said } = await serveRefused(["--listen", "127.0.0.1:0", "--data-dir", path]);
    assert.equal(code, 2);
    assert.match(said, /^error: --data-dir .*\.\n$/, path);
  }
});

test("a data directory on a disk that takes nothing is refused in one line", { skip: withoutSmallDisk }, async () => {
  using readOnly = smallDisk("ro,size=64k");
  using full = smallDisk("size=64k");
  full.fill(0);
  for (const [path, said] of [
    [readOnly.path, /^error: --data-dir .* cannot be used: its file system is read-only\.\n$/],
    [join(readOnly.path, "new"), /^error: --data-dir .* cannot be used: its file system is read-only\.\n$/],
    [full.path, /^error: --data-dir .* cannot be used: .*\.\n$/],
  ] as const) {
    const refused = await serveRefused(["--listen", "127.0.0.1:0", "--data-dir", path]);
    assert.equal(refused.code, 2);
    assert.match(refused.said, said);
  }
});

test("a link in the data directory that leads nowhere makes no file there", async (t) => {
  const { dir } = scratch(t);
  symlinkSync(join(dir, "elsewhere"), join(dir, ".gitignore"));
  await using server = await startServer({ roots, args: ["--data-dir", dir] });
  assert.equal((await server.client.serverInfo()).engine, "embedded");
  assert.equal(existsSync(join(dir, "elsewhere")), false);
});

test("a file that stands in the data directory already is left as it is", async (t) => {
  const { dir } = scratch(t);
  writeFileSync(join(dir, ".gitignore"), "mine\n");
  await using server = await startServer({ roots, args: ["--data-dir", dir] });
  assert.equal((await server.client.serverInfo()).engine, "embedded");
  assert.equal(readFileSync(join(dir, ".gitignore"), "utf8"), "mine\n");
});

test("a directory where somebody keeps files under the names of a service's is refused, and nothing in it is touched", async (t) => {
  for (const name of ["jobs", "work", "snapshots", "artifacts", "environments"]) {
    const { dir } = scratch(t);
    mkdirSync(join(dir, name));
    writeFileSync(join(dir, name, "mine.txt"), "mine\n");
    const { code, said } = await serveRefused(["--listen", "127.0.0.1:0", "--data-dir", dir]);
    assert.equal(code, 2);
    assert.match(
      said,
      new RegExp(`^error: --data-dir .* cannot be used: no service has used it, and "${name}" in it is `),
    );
    assert.deepEqual(readdirSync(dir, { recursive: true }).sort(), [name, `${name}/mine.txt`]);
  }
});

test("the directory of runs may be a link to another disk, and what an earlier service left there goes", async (t) => {
  const { dir } = scratch(t);
  mkdirSync(join(dir, "other", "left"), { recursive: true });
  mkdirSync(join(dir, "data"));
  writeFileSync(join(dir, "data", ".gitignore"), "*\n"); // as a service makes it
  symlinkSync(join(dir, "other"), join(dir, "data", "work"));
  await using server = await startServer({ roots, args: ["--data-dir", join(dir, "data")] });
  assert.equal(await server.client.runPlugin("counted", "quick", { starts: "" }, { mode: "task" }), "quick");
  assert.ok(lstatSync(join(dir, "data", "work")).isSymbolicLink());
  assert.equal(existsSync(join(dir, "other", "left")), false);
});

test("a service whose log nobody reads any more goes on", async () => {
  await using server = await startServer({ roots, under: ["bash", "-c", 'exec "$@" 2> >(true)', "bash"] });
  for (let line = 0; line < 3; line++) {
    process.kill(server.pid, "SIGHUP"); // which it logs
    assert.equal(await server.client.runPlugin("counted", "quick", { starts: "" }), "quick");
  }
  assert.equal(await server.end("SIGTERM"), 0);
});

test("SIGHUP does not end the service", async () => {
  await using server = await startServer({ roots });
  process.kill(server.pid, "SIGHUP");
  await server.logged("SIGHUP");
  assert.equal((await server.client.serverInfo()).engine, "embedded");
});

test("a root that is no folder is refused", async (t) => {
  const { dir } = scratch(t);
  const { code, said } = await serveRefused([
    "--listen",
    "127.0.0.1:0",
    "--data-dir",
    dir,
    "--root",
    join(dir, "nowhere"),
  ]);
  assert.equal(code, 2);
  assert.match(said, /^error: --root cannot be used: The plugin root .*nowhere is not a folder\.$/m);
});

test("a token file without a token is refused: it would let everybody in", async (t) => {
  const { dir } = scratch(t);
  const file = join(dir, "token");
  writeFileSync(file, "\n");
  const { code, said } = await serveRefused(["--listen", "0.0.0.0:0", "--data-dir", dir, "--token-file", file]);
  assert.equal(code, 2);
  assert.match(said, /--token-file .* holds no token/);
});

test("with a token, only callers that send it get in", async (t) => {
  const { dir } = scratch(t);
  const file = join(dir, "token");
  writeFileSync(file, "s3cret\n");
  await using server = await startServer({ roots, args: ["--token-file", file], token: "s3cret" });
  const { address } = server;
  assert.equal((await server.client.serverInfo()).engine, "embedded");
  for (const token of ["", "s3cre", "S3cret"]) {
    await using stranger = connect({ address, token });
    await assert.rejects(stranger.serverInfo(), isUnauthenticated);
    await assert.rejects(stranger.submitJob("counted", "quick", {}), isUnauthenticated);
  }
  assert.doesNotMatch(server.log(), /s3cret/);
});

test("TLS: a client that knows the authority gets in, one that does not, or speaks plain text, does not", {
  skip,
}, async (t) => {
  const pki = certificates(t);
  await using server = await startServer({ roots, args: pki.server });
  const address = byName(server.address);
  await using trusting = connect({ address, tls: { ca: pki.ca } });
  assert.equal((await trusting.serverInfo()).engine, "embedded");
  await Promise.all([refused({ address, tls: true }), refused({ address })]);
});

test("mutual TLS: only a client with a certificate of the authority gets in", { skip }, async (t) => {
  const pki = certificates(t);
  await using server = await startServer({ roots, args: [...pki.server, "--tls-client-ca", pki.caFile] });
  const address = byName(server.address);
  await using known = connect({ address, tls: { ca: pki.ca, ...pki.client } });
  assert.equal((await known.serverInfo()).engine, "embedded");
  const stranger = certificates(t).client;
  await Promise.all([{}, stranger].map((own) => refused({ address, tls: { ca: pki.ca, ...own } })));
});

/** A certificate's name cannot be an IP address in SNI. */
function byName(address: string): string {
  return address.replace("127.0.0.1", "localhost");
}

function isUnauthenticated(error: unknown): boolean {
  return error instanceof RunnerError && error.reason === "UNAUTHENTICATED";
}

async function refused(options: ConnectOptions): Promise<void> {
  await using client = connect(options);
  await assert.rejects(client.serverInfo(), (error) => error instanceof RunnerError && error.reason === "UNAVAILABLE");
}

function certificates(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), "certificates-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const { ca, server, client } = makeCertificates(dir);
  const read = (file: string) => readFileSync(file, "utf8");
  return {
    ca: read(ca),
    caFile: ca,
    server: ["--tls-cert", server.cert, "--tls-key", server.key],
    client: { cert: read(client.cert), key: read(client.key) },
  };
}
