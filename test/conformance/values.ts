import assert from "node:assert/strict";
import type { JsonValue } from "@bufbuild/protobuf";
import { withNumbers } from "../../src/util/non-finite.ts";
import { meant, valuesTable } from "../support/values-table.ts";
import type { Group } from "./engine.ts";
import { everywhere, failure, modes, run } from "./run.ts";

const everyKind: JsonValue = {
  null: null,
  true: true,
  false: false,
  integers: [0, 1, -1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
  fractions: [0.1, -2.5, 1e300, 5e-324],
  // Texts of JSON write them as integers.
  large: [1e16, -1e18, 2 ** 53],
  text: 'ü 漢字 😀 \u0000 \u2028 \\ " \n',
  empty: [{}, [], ""],
  "a/b~c": { "": { " ": 1 } },
};

/** Names of classes and values that the unit tests of Python's runtime give to the expressions of the table. */
const ofUnitTests =
  /\b(Colour|Level|Flags|Pair|Point|Model|OldModel|Tensor|Arrayed|Failing|CYCLE|pydantic_dataclass|attrs_instance|msgspec_struct)\b/;

async function expect(result: Promise<JsonValue>, expected: JsonValue): Promise<void> {
  assert.deepEqual(await result, expected);
}

/** What JSON cannot say. */
const impossible = ["cycle", "big_integer", "code", "keys"];

export const values: Group = {
  subject: "values",
  concurrency: 4,
  cases(check) {
    for (const { language, mode } of everywhere) {
      const plugin = `${language}-values`;
      const here = `(${language}, ${mode})`;

      check(`every kind of JSON value comes back as it was given ${here}`, async ({ client }) => {
        assert.deepEqual(await run(client, mode, plugin, "echo", { value: everyKind }), everyKind);
      });

      check(
        `the values of the table come back as they were given, and have their types inside ${here}`,
        async (engine) => {
          const { client } = engine;
          const values = valuesTable.echoed.map((row) => ({ ...row, value: meant(row.value) }));
          const shallow = values.filter(({ value }) => JSON.stringify(value).length < 80);
          const given = Object.fromEntries(shallow.map(({ name, value }) => [name, value]));
          const kinds = Object.fromEntries(shallow.map((row) => [row.name, row[language]]));
          const deep = values.filter((row) => !shallow.includes(row));
          await Promise.all([
            expect(run(client, mode, plugin, "echo", { value: given }), given),
            expect(run(client, mode, plugin, "kinds", given), kinds),
            ...deep.map(({ value }) => expect(run(client, mode, plugin, "echo", { value }), value)),
          ]);
        },
      );

      check(
        `the results of the table become what it says, and of those with places without JSON the rest is kept ${here}`,
        async (engine) => {
          const rows = valuesTable.results.flatMap((row) => {
            const expression = row[language];
            return expression === undefined || ofUnitTests.test(expression) ? [] : [{ ...row, expression }];
          });
          const expressions = (some: typeof rows) => ({ expressions: some.map(({ expression }) => expression) });
          const accepted = rows.filter(({ refused }) => !refused);
          const meantResults = accepted.map(({ json, non_finite = [] }) => withNumbers(json, non_finite));
          assert.ok(accepted.length > 10);
          assert.deepEqual(await run(engine.client, mode, plugin, "evaluate", expressions(accepted)), meantResults);
          const refused = rows.filter((row) => row.refused);
          // Of a run the error has to fit into headers.
          for (const some of mode === "job" ? [refused] : refused.map((row) => [row])) {
            const error = await failure(run(engine.client, mode, plugin, "evaluate", expressions(some)));
            const fields = some.flatMap(({ refused }, at) =>
              (refused?.fields ?? [refused?.field]).map((field) => `/${at}${field}`),
            );
            assert.equal(error.reason, "RESULT_INVALID");
            assert.deepEqual(JSON.parse(error.metadata.fields ?? ""), fields);
            assert.deepEqual(
              error.partialResult,
              some.map(({ json, non_finite = [] }) => withNumbers(json, non_finite)),
            );
          }
        },
      );

      check(`what can be carried of a result is kept, with null where there is no JSON ${here}`, async ({ client }) => {
        const error = await failure(run(client, mode, plugin, "half", { size: 3 }));
        assert.equal(error.reason, "RESULT_INVALID");
        assert.equal(error.metadata.field, "/run");
        assert.equal(error.metadata.fields, '["/run"]');
        assert.deepEqual(error.partialResult, { run: null, loss: Number.NaN, text: "xxx" });
      });

      check(
        `metrics, fields and metadata keep their numbers, and lose no more than what cannot be ${here}`,
        async ({ client }) => {
          if (mode !== "job") return assert.equal(await run(client, mode, plugin, "report"), null);
          const job = await client.submitJob(plugin, "report");
          await job.result();
          const { metrics } = await client.getJob(job.id);
          assert.deepEqual(metrics[0]?.values, { loss: Number.NaN, best: Number.POSITIVE_INFINITY, text: "NaN" });
        },
      );

      if (mode === "job") {
        check(`a job's record has the numbers that JSON has not ${here}`, async ({ client }) => {
          const params = { value: { loss: Number.NaN, list: [Number.NEGATIVE_INFINITY, "Infinity", -0] } };
          const job = await client.submitJob(plugin, "echo", params);
          assert.deepEqual(await job.result(), params.value);
          for (const record of [job.snapshot, await client.getJob(job.id)]) assert.deepEqual(record.params, params);
        });
      }

      check(`a scalar, null or nothing may be the whole result ${here}`, async ({ client }) => {
        for (const value of mode === "job" ? [false] : [5, "five", false, null, [], {}]) {
          assert.deepEqual(await run(client, mode, plugin, "echo", { value }), value);
        }
        assert.equal(await run(client, mode, plugin, "nothing"), null);
      });

      check(`2 MB go in and come out ${here}`, async ({ client }) => {
        const value = "0123456789abcdef".repeat(1 << 17);
        assert.equal(await run(client, mode, plugin, "echo", { value }), value);
      });

      check(`a result beyond the limit is RESULT_INVALID and says the limit ${here}`, async ({ client }) => {
        const error = await failure(run(client, mode, plugin, "text", { length: 10_000_000 }));
        const { limits } = await client.serverInfo();
        assert.equal(error.reason, "RESULT_INVALID");
        assert.equal(error.metadata.max_result_bytes, String(limits?.maxResultBytes));
        assert.ok(Number(error.metadata.size_bytes) >= 10_000_000);
      });

      check(`a result nested too deep for decoders is RESULT_INVALID ${here}`, async ({ client }) => {
        assert.match(JSON.stringify(await run(client, mode, plugin, "levels", { count: 46 })), /^\[{47}\]{47}$/);
        const error = await failure(run(client, mode, plugin, "levels", { count: 47 }));
        assert.equal(error.reason, "RESULT_INVALID");
        assert.equal(error.metadata.field, "/0".repeat(47));
        assert.match(JSON.stringify(error.partialResult), /^\[{47}null\]{47}$/);
      });

      for (const kind of impossible) {
        check(`a result with ${kind} is RESULT_INVALID and says where ${here}`, async ({ client }) => {
          const error = await failure(run(client, mode, plugin, "impossible", { kind }));
          assert.equal(error.reason, "RESULT_INVALID");
          assert.match(error.metadata.field ?? "", /^\/deep\/0/);
          assert.match(error.message, /\/deep\/0/);
        });
      }
    }

    for (const mode of modes) {
      check(`numbers without a fraction reach Python as int, others as float (${mode})`, async ({ client }) => {
        const params = { a: 10, b: -3, c: 0, d: 2 ** 40, e: 1.5, f: true, g: "10", h: null, i: [1], j: { k: 1 } };
        assert.deepEqual(await run(client, mode, "python-values", "kinds", params), {
          ...{ a: "int", b: "int", c: "int", d: "int", e: "float", f: "bool", g: "str" },
          ...{ h: "NoneType", i: "list", j: "dict" },
        });
      });

      check(`Python's richer values are JSON in the documented way (${mode})`, async ({ client }) => {
        assert.deepEqual(await run(client, mode, "python-values", "rich"), {
          time: "2024-02-29T12:30:00+00:00",
          set: [1],
          path: "/tmp/x",
          decimal: "1.50",
          enum: "red",
          point: { x: 1, y: 2.5 },
          keys: { "1": "one" },
        });
      });

      check(`JavaScript's richer values are JSON in the documented way (${mode})`, async ({ client }) => {
        assert.deepEqual(await run(client, mode, "javascript-values", "rich"), {
          time: "2024-02-29T12:30:00.000Z",
          set: [1],
          keys: { "1": "one" },
          numbers: [1, 2.5],
          url: "https://example.org/x",
          absent: null,
        });
      });
    }
  },
};
