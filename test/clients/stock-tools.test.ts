import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { PluginRunner } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { findOnPath } from "../../src/util/find-on-path.ts";
import { withoutCertificates } from "../support/certificates.ts";
import { project, startServer } from "../support/server.ts";
import { startTargets, type Targets } from "./targets.ts";

const skip = findOnPath("go") === undefined ? "go is not on PATH" : withoutCertificates;

/** The tools of `test/tools/go.mod` are built here, once. */
const built = join(project, "test/tools/build");
const protoset = join(built, "pluginrunner.binpb");
const path = [built, join(project, "node_modules/.bin"), process.env.PATH].join(delimiter);
const service = "pluginrunner.v1.PluginRunner";

/** `greet` of the plugin `greet`, which needs no params. */
const greeting = JSON.stringify({ plugin: "greet", action: "greet" });
const invalid = JSON.stringify({
  plugin: "python-params",
  action: "configured",
  params: { epochs: 0, optimizer: "sgd" },
});

describe("stock tools of gRPC speak to the service", { skip }, () => {
  const open = new AsyncDisposableStack();
  let targets: Targets;

  before(async () => {
    for (const made of [
      await tool("go", ["build", "-C", "test/tools", "-o", "build/", "tool"]),
      await tool("buf", ["build", "-o", protoset]),
    ]) {
      assert.equal(made.code, 0, made.stderr);
    }
    open.defer(() => rmSync(protoset));
    targets = open.use(await startTargets());
  });
  after(() => open.disposeAsync());

  describe("grpcurl", () => {
    const grpcurl = (...args: string[]) => tool("grpcurl", args);

    test("finds the service and its messages by reflection", async () => {
      assert.match((await grpcurl("-plaintext", targets.plain, "list")).stdout, new RegExp(`^${service}$`, "m"));
      const health = await grpcurl("-plaintext", targets.plain, "grpc.health.v1.Health/Check");
      assert.match(health.stdout, /"status": "SERVING"/);
      const methods = await grpcurl("-plaintext", targets.plain, "list", service);
      assert.equal(methods.stdout.trim().split("\n").length, Object.keys(PluginRunner.method).length);
      const message = await grpcurl("-plaintext", targets.plain, "describe", "pluginrunner.v1.RunPluginRequest");
      assert.match(message.stdout, /^ {2}\.google\.protobuf\.Struct params = 3;$/m);
    });

    for (const [where, schema] of Object.entries({
      "by reflection": [],
      "from the proto files": ["-import-path", "proto", "-proto", "pluginrunner/v1/plugin_runner.proto"],
      "from a set that buf has built": ["-protoset", protoset],
    })) {
      test(`runs an action with what it knows ${where}`, async () => {
        const call = ["-plaintext", ...schema, "-d", '{"plugin":"greet","action":"greet","params":{"name":"Ada ü"}}'];
        const { stdout } = await grpcurl(...call, targets.plain, `${service}/RunPlugin`);
        assert.deepEqual(JSON.parse(stdout), { result: "Hello, Ada ü!" });
      });

      test(`shows the details of an error with what it knows ${where}`, async () => {
        const call = ["-plaintext", ...schema, "-format-error", "-d", invalid];
        const { code, stderr } = await grpcurl(...call, targets.plain, `${service}/RunPlugin`);
        assert.equal(code, 64 + 3);
        const { details } = JSON.parse(stderr);
        assert.deepEqual(details[0], {
          "@type": "type.googleapis.com/google.rpc.ErrorInfo",
          domain: service,
          metadata: { owner: "python-params/configured", violations_total: "1" },
          reason: "PARAMS_INVALID",
        });
        assert.deepEqual(details[1], {
          "@type": "type.googleapis.com/google.rpc.BadRequest",
          fieldViolations: [{ field: "/params/epochs", description: "must be ≥ 1", reason: "minimum" }],
        });
      });
    }

    test("streams a job, and takes its watch up again", async () => {
      const submission = { plugin: "cases", action: "ticks", params: { count: 2 }, job_id: "from-grpcurl" };
      const submit = ["-plaintext", "-d", JSON.stringify(submission), targets.plain, `${service}/SubmitJob`];
      const submitted = messages((await grpcurl(...submit)).stdout);
      assert.equal(submitted[0].snapshot.jobId, "from-grpcurl");
      assert.equal(submitted.at(-1).events.events.at(-1).result.value, 2);

      const watch = ["-plaintext", "-d", '{"job_id":"from-grpcurl","after_sequence":2}'];
      const watched = messages((await grpcurl(...watch, targets.plain, `${service}/WatchJob`)).stdout);
      assert.equal(watched[0].snapshot.state, "JOB_STATE_SUCCEEDED");
      assert.equal(watched[1].events.events[0].sequence, "3");
    });

    test("reaches a service with TLS and a token, which wants both", async () => {
      const { address, ca, token } = targets.secure;
      const method = `${service}/GetServerInfo`;
      const taken = await grpcurl("-cacert", ca, "-H", `authorization: Bearer ${token}`, address, method);
      assert.equal(JSON.parse(taken.stdout).engine, "embedded");
      const refused = await grpcurl("-cacert", ca, address, method);
      assert.equal(refused.code, 64 + 16);
      assert.match(refused.stderr, /"reason": "UNAUTHENTICATED"/);
      assert.match((await grpcurl("-plaintext", "-max-time", "5", address, method)).stderr, /Failed to dial/);
    });

    test("does what the README says", async () => {
      await using examples = await startServer({ roots: [join(project, "examples/plugins")] });
      const readme = readFileSync(join(project, "README.md"), "utf8");
      const commands = [...readme.matchAll(/^ {4}(grpcurl (?:.*\\\n)*.*)$/gm)].map(([, command = ""]) => command);
      const [profile] = commands.filter((command) => command.includes('"tables"'));
      assert.ok(profile, "the README runs an action with grpcurl");
      const { stdout } = await tool("sh", ["-c", profile.replace("127.0.0.1:50151", examples.address)]);
      assert.equal(JSON.parse(stdout).result.rows, 344);
    });
  });

  describe("buf curl", () => {
    const curl = (...args: string[]) => tool("buf", ["curl", "--protocol", "grpc", ...args]);
    const url = (method: string) => `http://${targets.plain}/${service}/${method}`;

    for (const version of ["grpc-v1", "grpc-v1alpha"]) {
      test(`runs an action with the reflection of ${version}`, async () => {
        const call = ["--http2-prior-knowledge", "--reflect-protocol", version, "-d", greeting];
        assert.deepEqual(JSON.parse((await curl(...call, url("RunPlugin"))).stdout), { result: "Hello, world!" });
      });
    }

    test("knows the code and the details of an error", async () => {
      const { code, stderr } = await curl("--http2-prior-knowledge", "-d", invalid, url("RunPlugin"));
      assert.equal(code, 8 * 3);
      const error = JSON.parse(stderr);
      assert.equal(error.code, "invalid_argument");
      const types = error.details.map(({ type }: { type: string }) => type);
      assert.deepEqual(types, ["google.rpc.ErrorInfo", "google.rpc.BadRequest"]);
    });

    test("reaches a service with TLS and a token", async () => {
      const { address, ca, token } = targets.secure;
      const call = ["--cacert", ca, "-H", `authorization: Bearer ${token}`];
      const { stdout } = await curl(...call, `https://${address}/${service}/GetServerInfo`);
      assert.deepEqual(JSON.parse(stdout).modes, ["local", "task", "job"]);
    });
  });

  describe("grpc-health-probe", () => {
    const probe = (address: string, ...args: string[]) => tool("grpc-health-probe", ["-addr", address, ...args]);

    test("finds the server, the service and its modes serving", async () => {
      const names = [service, ...["local", "task", "job"].map((mode) => `${service}/${mode}`)];
      for (const args of [[], ...names.map((name) => ["-service", name])]) {
        const { code, stderr } = await probe(targets.plain, ...args);
        assert.deepEqual({ code, stderr: stderr.trim() }, { code: 0, stderr: "status: SERVING" });
      }
      assert.equal((await probe(targets.plain, "-service", "another.Service")).code, 3);
    });

    test("needs no token, and takes TLS with a certificate of its own", async () => {
      const { secure, mutual } = targets;
      assert.equal((await probe(secure.address, "-tls", "-tls-ca-cert", secure.ca)).code, 0);
      const own = ["-tls-client-cert", mutual.cert, "-tls-client-key", mutual.key];
      assert.equal((await probe(mutual.address, "-tls", "-tls-ca-cert", mutual.ca, ...own)).code, 0);
    });
  });

  test("ghz counts the answers to a small load", async () => {
    const load = async (data: string, total: string) => {
      const args = ["--insecure", "--call", `${service}.RunPlugin`, "-d", data, "-n", total, "-c", "4", "-O", "json"];
      return JSON.parse((await tool("ghz", [...args, targets.plain])).stdout);
    };
    assert.deepEqual((await load(greeting, "200")).statusCodeDistribution, { OK: 200 });
    const failed = await load('{"plugin":"nowhere","action":"any"}', "20");
    assert.deepEqual(failed.statusCodeDistribution, { NotFound: 20 });
  });
});

/** What a tool prints, and its exit code: errors are some of these tools' answers. */
function tool(name: string, args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ code: number; stdout: string; stderr: string }>();
  execFile(name, args, { cwd: project, env: { ...process.env, PATH: path } }, (error, stdout, stderr) => {
    const code = error?.code ?? 0;
    if (typeof code === "number") resolve({ code, stdout, stderr });
    else reject(error);
  });
  return promise;
}

/** The JSON values that stand one after the other in a text. */
function messages(text: string) {
  return JSON.parse(`[${text.replaceAll(/^\}$\n^\{$/gm, "},\n{")}]`);
}
