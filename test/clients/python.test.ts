import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { withoutCertificates } from "../support/certificates.ts";
import { project } from "../support/server.ts";

describe("the Python client passes the cases of every client, and what its page says runs", () => {
  test("with the newest libraries", { skip: withoutCertificates || without("python3", [3, 10]) }, () => run("client"));
  test("with the oldest, on the oldest Python", { skip: withoutCertificates || without("python3.9", [3, 9]) }, () =>
    run("oldest"),
  );
});

async function run(command: string): Promise<void> {
  const script = (path: string) => join(project, path);
  // Its servers are started by the Node that is on PATH.
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
  const args = [script("test/clients/with-targets.ts"), process.execPath, script("scripts/python.ts"), command];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], env });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  }
  const [code] = await once(child, "close");
  assert.equal(code, 0, said);
}

function without(name: string, oldest: readonly [number, number]): string | false {
  const program = `import sys; sys.exit(sys.version_info < (${oldest.join(", ")}))`;
  return spawnSync(name, ["-c", program]).status !== 0 && `Python ${oldest.join(".")} is not on PATH`;
}
