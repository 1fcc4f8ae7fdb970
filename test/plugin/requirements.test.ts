import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { readConfig } from "../../src/plugin/config.ts";
import { readRequirements } from "../../src/plugin/requirements.ts";
import type { Language } from "../../src/worker/messages.ts";
import { tempTree, write } from "./temp-tree.ts";

function read(t: TestContext, language: Language, files: Readonly<Record<string, string>>, more = "") {
  const root = tempTree(t, { "config.yaml": `name: n\ncode: c\n${more}`, ...files });
  const again = () => readRequirements(root, language, readConfig(join(root, "config.yaml")));
  return { root, again, requirements: again() };
}

test("a plugin without requirements needs nothing", (t) => {
  assert.equal(read(t, "python", {}).requirements, undefined);
  assert.equal(read(t, "python", { "requirements.txt": "# none\n\n" }).requirements, undefined);
  assert.equal(read(t, "javascript", { "package.json": '{"type": "module"}' }).requirements, undefined);
  assert.equal(read(t, "javascript", { "package.json": "broken" }).requirements, undefined);
});

test("requirements.txt is read as the configuration says", (t) => {
  const files = { "requirements.txt": "numpy\n", "wheels/a.whl": "" };
  const { root, requirements } = read(
    t,
    "python",
    files,
    "package_manager: uv\npackage_manager_options: [--no-cache]\n",
  );
  const { digest, ...rest } = requirements ?? {};
  assert.match(digest ?? "", /^[0-9a-f]{64}$/);
  assert.deepEqual(rest, {
    manager: "uv",
    file: join(root, "requirements.txt"),
    options: ["--no-cache"],
    wheelsDir: join(root, "wheels"),
  });
});

test("the same requirements have the same digest, others another", (t) => {
  const files = { "requirements.txt": "numpy\n", "wheels/a.whl": "" };
  const { root, requirements, again } = read(t, "python", files);
  assert.equal(again()?.digest, requirements?.digest);
  write(root, { "requirements.txt": "numpy==2\n" });
  const changed = again();
  assert.notEqual(changed?.digest, requirements?.digest);
  write(root, { "wheels/b.whl": "" });
  assert.notEqual(again()?.digest, changed?.digest);
});

test("files that requirements include or name are part of the digest", (t) => {
  const files = {
    "requirements.txt": "-r base.txt # all of it\n-c limits.txt\n./vendor/helpers\n",
    "base.txt": "six\n-r requirements.txt\n",
    "limits.txt": "six<2\n",
    "vendor/helpers/setup.py": "",
  };
  const { root, requirements, again } = read(t, "python", files);
  const seen = new Set([requirements?.digest]);
  for (const change of [
    { "base.txt": "six==1.17.0\n" },
    { "limits.txt": "six<3\n" },
    { "vendor/helpers/setup.py": "#" },
  ]) {
    write(root, change);
    seen.add(again()?.digest);
  }
  assert.equal(seen.size, 4);
});

test("two plugins with packages of their own at the same place do not share an environment", (t) => {
  const vendored = { "requirements.txt": "./vendor/helpers\n" };
  assert.notEqual(read(t, "python", vendored).requirements?.digest, read(t, "python", vendored).requirements?.digest);
  const manifest = { "package.json": '{"dependencies": {"helpers": "file:./vendor/helpers"}}' };
  assert.notEqual(
    read(t, "javascript", manifest).requirements?.digest,
    read(t, "javascript", manifest).requirements?.digest,
  );
  const plain = { "requirements.txt": "six\n" };
  assert.equal(read(t, "python", plain).requirements?.digest, read(t, "python", plain).requirements?.digest);
});

test("npm's locks and configuration are part of the digest", (t) => {
  const { root, requirements, again } = read(t, "javascript", { "package.json": '{"dependencies": {"left": "1"}}' });
  const seen = new Set([requirements?.digest]);
  for (const name of ["package-lock.json", "npm-shrinkwrap.json", ".npmrc"]) {
    write(root, { [name]: "{}" });
    seen.add(again()?.digest);
  }
  assert.equal(seen.size, 4);
});

test("JavaScript's dependencies count only where they are not installed already", (t) => {
  const manifest = { "package.json": '{"dependencies": {"left": "1", "@scope/right": "1", "plugin-runner": "0"}}' };
  const { root, requirements, again } = read(t, "javascript", manifest);
  assert.deepEqual([requirements?.manager, requirements?.file], ["npm", join(root, "package.json")]);
  write(root, { "node_modules/left/package.json": "{}", "node_modules/@scope/right/package.json": "{}" });
  assert.equal(again(), undefined);
});

test("comments, blank lines, spaces and the order of packages make no other environment", (t) => {
  const digestOf = (text: string) => read(t, "python", { "requirements.txt": text }).requirements?.digest;
  const plain = digestOf("six==1.16.0\nattrs>=20,<24\n");
  assert.equal(digestOf("# what we need\n\nattrs >= 20, < 24\n\n  six == 1.16.0  # pinned\n"), plain);
  assert.equal(digestOf("attrs>=20,<24 \\\n\nsix==1.16.0"), plain);
});

test("options, hashes, markers and their values make another environment", (t) => {
  const texts = [
    "six\n",
    "--index-url https://one.example\nsix\n",
    "--index-url https://two.example\nsix\n",
    "--extra-index-url https://one.example\n--extra-index-url https://two.example\nsix\n",
    "--extra-index-url https://two.example\n--extra-index-url https://one.example\nsix\n",
    "six --hash=sha256:1\n",
    "six --hash=sha256:2\n",
    "six; python_version < '3.10'\n",
  ];
  const digests = texts.map((text) => read(t, "python", { "requirements.txt": text }).requirements?.digest);
  assert.equal(new Set(digests).size, texts.length);
});

test("what package.json says of the package itself makes no other environment, and what is installed does", (t) => {
  const digestOf = (manifest: object) =>
    read(t, "javascript", { "package.json": JSON.stringify(manifest, undefined, 2) }).requirements?.digest;
  const plain = digestOf({ dependencies: { left: "1", right: "2" } });
  const named = { version: "2.0.0", dependencies: { right: "2", left: "1" }, name: "plugin", type: "module" };
  assert.equal(digestOf(named), plain);
  assert.notEqual(digestOf({ dependencies: { left: "1", right: "3" } }), plain);
  assert.notEqual(digestOf({ dependencies: { left: "1", right: "2" }, overrides: { left: "1.5" } }), plain);
});
