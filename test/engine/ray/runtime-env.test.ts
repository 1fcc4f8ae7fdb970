import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { runtimeEnvOf } from "../../../src/engine/ray/runtime-env.ts";
import { Catalog } from "../../../src/plugin/catalog.ts";
import { FakeInspector } from "../../plugin/fake-inspector.ts";
import { tempTree } from "../../plugin/temp-tree.ts";
import { patience } from "../../support/limits.ts";

const workingDir = "$" + "{RAY_RUNTIME_ENV_CREATE_WORKING_DIR}";

test("a plugin without requirements needs nothing", async (t) => {
  assert.deepEqual(await environment(t, {}), {});
});

test("the lines of requirements.txt are pip's packages, includes among them, paths as they are on the cluster", async (t) => {
  const files = {
    "requirements.txt":
      "-r more/base.txt\nnumpy==2.0 ; python_version > '3.9'  # why\n\n# nothing\n./local\n-c limits.txt\n",
    "more/base.txt":
      "-r ../requirements.txt\nrequests \\\n  >=2\n-e ./editable\n--find-links https://example.org/wheels\n",
  };
  assert.deepEqual(await environment(t, files), {
    pip: {
      packages: [
        "requests    >=2",
        `-e ${workingDir}/more/editable`,
        "--find-links https://example.org/wheels",
        "numpy==2.0 ; python_version > '3.9'",
        `${workingDir}/local`,
        `-c ${workingDir}/limits.txt`,
      ],
    },
  });
});

test("wheels and options of the plugin are given to its package manager", async (t) => {
  const files = { "requirements.txt": "tiny\n", "wheels/tiny.whl": "" };
  assert.deepEqual(await environment(t, files, "package_manager_options: --no-index"), {
    pip: {
      packages: [`--find-links ${workingDir}/wheels`, "tiny"],
      pip_install_options: ["--disable-pip-version-check", "--no-cache-dir", "--no-index"],
    },
  });
  assert.deepEqual(await environment(t, files, "package_manager: uv"), {
    uv: { packages: ["tiny"], uv_pip_install_options: ["--no-cache", "--find-links", `${workingDir}/wheels`] },
  });
});

test("the configuration's runtime_env is kept, but for code and variables", async (t) => {
  const own =
    "runtime_env: {env_vars: {A: b}, working_dir: /etc, py_modules: [x], pip: [torch], config: {setup_timeout_seconds: 60}}";
  const config = { setup_timeout_seconds: 60 };
  assert.deepEqual(await environment(t, {}, own), { pip: ["torch"], config });
  assert.deepEqual(await environment(t, { "requirements.txt": "tiny\n" }, own), {
    pip: { packages: ["torch", "tiny"] },
    config,
  });
});

test("requirements and a conda environment together are PLUGIN_INVALID", async (t) => {
  const files = { "requirements.txt": "tiny\n" };
  await assert.rejects(environment(t, files, "runtime_env: {conda: base}"), { reason: "PLUGIN_INVALID" });
});

async function environment(t: TestContext, files: Readonly<Record<string, string>>, more = "") {
  const config = `name: P\ncode: p\nactions: {run: {entrypoint: 'plugin:run', params: {}}}\n${more}\n`;
  const root = tempTree(t, { "config.yaml": config, "plugin.py": "def run(): pass\n", ...files });
  const catalog = new Catalog({ roots: [root], allowModules: [], inspector: new FakeInspector() });
  t.after(() => catalog.close());
  return runtimeEnvOf(await catalog.load(root, patience()));
}
