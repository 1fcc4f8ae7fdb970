import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { type Client, ExecutionError, ValidationError } from "../../src/client.ts";
import { patienceMs } from "../support/limits.ts";
import type { TestServer } from "../support/server.ts";
import { array, collect, object, startExamples } from "./support.ts";

suite("the example plugin digits", { timeout: 2 * patienceMs }, () => {
  let server: TestServer;
  let client: Client;
  before(async () => {
    server = await startExamples();
    client = server.client;
  });
  after(() => server[Symbol.asyncDispose]());

  test("a job trains a model that reads unseen digits, shows its progress, and leaves a model that infer loads", async () => {
    const job = await client.submitJob("digits", "train", { epochs: 15 });
    const events = await collect(job.events());
    const trained = object(await job.result());
    assert.ok(Number(trained.accuracy) > 0.9, `accuracy ${trained.accuracy}`);

    const progress = events.flatMap(({ payload }) => (payload.case === "progress" ? [payload.value] : []));
    assert.deepEqual(
      progress.map(({ current, total }) => [current, total]),
      Array.from({ length: 15 }, (_, i) => [i + 1, 15]),
    );
    const metrics = events.flatMap(({ payload }) => (payload.case === "metrics" ? [payload.value] : []));
    assert.equal(metrics.length, 15);
    const losses = metrics.map(({ values }) => Number(values?.loss));
    assert.ok(Number(losses.at(-1)) < Number(losses[0]) / 2, `losses ${losses}`);
    const artifact = events.find(({ payload }) => payload.case === "artifact")?.payload.value;
    assert.partialDeepStrictEqual(artifact, { name: "model.joblib", uri: trained.model });
    assert.ok(existsSync(fileURLToPath(String(trained.model))));

    for (const mode of ["local", "task"] as const) {
      const indices = array(trained.test_indices).slice(0, 100);
      const answer = object(
        await client.runPlugin("digits", "infer", { model: String(trained.model), indices }, { mode }),
      );
      assert.ok(Number(answer.accuracy) > 0.85, `${mode}: accuracy ${answer.accuracy}`);
      assert.equal(array(answer.predictions).length, 100);
      for (const prediction of array(answer.predictions).map(object)) checkProbabilities(prediction);
    }
    await readsOwnImage(client, String(trained.model));
  });

  test("training alike gives alike results in local and task mode", async () => {
    const params = { model: "linear", epochs: 3, seed: 7 };
    const local = object(await client.runPlugin("digits", "train", params, { mode: "local" }));
    const task = object(await client.runPlugin("digits", "train", params, { mode: "task" }));
    assert.ok(Number(local.accuracy) > 0.85, `accuracy ${local.accuracy}`);
    assert.equal(task.accuracy, local.accuracy);
    assert.deepEqual(task.test_indices, local.test_indices);
  });

  test("a training that is cancelled ends as cancelled, and leaves no result", async () => {
    const job = await client.submitJob("digits", "train", { epochs: 1000 });
    for await (const { payload } of job.events()) {
      if (payload.case === "progress" && payload.value.current === 2) await job.cancel();
    }
    await assert.rejects(job.result(), { reason: "CANCELLED" });
  });

  test("a model that does not exist is an error that says what to do", async () => {
    const run = client.runPlugin("digits", "infer", { model: "/no/such/model" });
    await assert.rejects(run, (error) => {
      assert.ok(error instanceof ExecutionError);
      assert.equal(error.reason, "ACTION_FAILED");
      assert.equal(error.exceptionType, "FileNotFoundError");
      assert.match(error.message, /Run the action train/);
      return true;
    });
  });

  test("both schemas are checked: that of config.yaml and that of the code", async () => {
    await rejectsFields(client, "infer", { indices: [1, 1797], image: [] }, [
      "/params/image",
      "/params/indices/1",
      "/params/model",
    ]);
    await rejectsFields(client, "train", { model: "forest", epochs: "many" }, ["/params/epochs", "/params/model"]);
    await rejectsFields(client, "train", { epochs: 0 }, undefined);
  });
});

function checkProbabilities({ digit, probability, probabilities }: JsonObject): void {
  const numbers = array(probabilities).map(Number);
  assert.equal(numbers.length, 10);
  assert.ok(Math.abs(numbers.reduce((sum, each) => sum + each) - 1) < 1e-6);
  assert.equal(numbers.indexOf(Math.max(...numbers)), digit);
  assert.equal(Math.max(...numbers), probability);
}

/** The data set's first image, a zero, given by its pixels. */
async function readsOwnImage(client: Client, model: string): Promise<void> {
  const rows = ["005d9100", "00dfaf50", "03f20b80", "04c00880", "05800980", "04b01c70", "02e5ac00", "006da000"];
  const image: JsonValue[] = rows.map((row) => [...row].map((pixel) => Number.parseInt(pixel, 17)));
  const { predictions } = object(await client.runPlugin("digits", "infer", { model, image }));
  assert.deepEqual(
    array(predictions).map((prediction) => object(prediction).digit),
    [0],
  );
}

async function rejectsFields(client: Client, action: string, params: JsonObject, fields: string[] | undefined) {
  await assert.rejects(client.runPlugin("digits", action, params), (error) => {
    assert.ok(error instanceof ValidationError);
    if (fields) assert.deepEqual(error.violations.map(({ field }) => field).sort(), fields);
    return true;
  });
}
