import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Client, ExecutionError, ValidationError } from "../../src/client.ts";
import { patienceMs } from "../support/limits.ts";
import type { TestServer } from "../support/server.ts";
import { array, collect, object, startExamples } from "./support.ts";

suite("the example plugin tables", { timeout: 2 * patienceMs }, () => {
  let server: TestServer;
  let client: Client;
  before(async () => {
    server = await startExamples();
    client = server.client;
  });
  after(() => server[Symbol.asyncDispose]());

  for (const mode of ["local", "task"] as const) {
    test(`profile describes every column of the penguins in ${mode} mode`, async () => {
      const { rows, columns } = object(await client.runPlugin("tables", "profile", { dataset: "penguins" }, { mode }));
      assert.equal(rows, 344);
      const byName = new Map(
        array(columns)
          .map(object)
          .map((column) => [column.name, column]),
      );
      assert.deepEqual([...byName.keys()].length, 7);
      assert.deepEqual(byName.get("species"), {
        name: "species",
        type: "text",
        missing: 0,
        distinct: 3,
        top: [
          { value: "Adelie", count: 152 },
          { value: "Gentoo", count: 124 },
          { value: "Chinstrap", count: 68 },
        ],
      });
      assert.partialDeepStrictEqual(byName.get("sex"), { type: "text", missing: 11, distinct: 2 });
      const { mean, standard_deviation, ...mass } = object(byName.get("body_mass_g"));
      assert.deepEqual(mass, {
        name: "body_mass_g",
        type: "number",
        missing: 2,
        distinct: 94,
        min: 2700,
        max: 6300,
        median: 4050,
      });
      assert.ok(Math.abs(Number(mean) - 4201.754385964912) < 1e-6);
      assert.ok(Math.abs(Number(standard_deviation) - 801.9545356980955) < 1e-6);
    });
  }

  test("a job exports the diamonds by cut as a CSV file, and shows how far it is", async () => {
    const job = await client.submitJob("tables", "export", { dataset: "diamonds", by: "cut", measure: "price" });
    const events = await collect(job.events());
    const result = object(await job.result());
    assert.partialDeepStrictEqual(result, { rows: 53940, groups: 5 });

    const progress = events.flatMap(({ payload }) =>
      payload.case === "progress" && payload.value.step === "read" ? [payload.value.current] : [],
    );
    assert.ok(progress.length > 10);
    assert.deepEqual(
      progress,
      progress.toSorted((left, right) => left - right),
    );
    const artifact = events.find(({ payload }) => payload.case === "artifact")?.payload.value;
    assert.partialDeepStrictEqual(artifact, { name: "diamonds-by-cut.csv", mediaType: "text/csv", uri: result.file });
    assert.deepEqual(parse(await readFile(fileURLToPath(String(result.file)), "utf8")), [
      ["name", "count", "sum", "mean", "min", "max"],
      ["Ideal", 21551, 74513487, 3457.54, 326, 18806],
      ["Premium", 13791, 63221498, 4584.26, 326, 18823],
      ["Very Good", 12082, 48107623, 3981.76, 336, 18818],
      ["Good", 4906, 19275009, 3928.86, 327, 18788],
      ["Fair", 1610, 7017600, 4358.76, 337, 18574],
    ]);
  });

  test("a table that there is not is refused, and a column that there is not is an error that names those there are", async () => {
    const unknown = client.runPlugin("tables", "profile", { dataset: "dodos" });
    await assert.rejects(unknown, (error) => error instanceof ValidationError);
    const column = client.runPlugin("tables", "export", { dataset: "penguins", by: "colour", measure: "body_mass_g" });
    await assert.rejects(column, (error) => {
      assert.ok(error instanceof ExecutionError);
      assert.equal(error.reason, "ACTION_FAILED");
      assert.match(error.message, /no column "colour"\. It has species, island/);
      return true;
    });
  });
});

function parse(csv: string) {
  const [header = "", ...lines] = csv.trimEnd().split("\n");
  const rows = lines.map((line) => line.split(","));
  return [
    header.split(","),
    ...rows.map(([name, ...numbers]) => [name, ...numbers.map((each) => round(Number(each)))]),
  ];
}

function round(number: number): number {
  return Math.round(number * 100) / 100;
}
