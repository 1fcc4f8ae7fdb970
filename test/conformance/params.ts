import assert from "node:assert/strict";
import type { JsonObject } from "@bufbuild/protobuf";
import { PluginRunner, RunMode } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { type Client, type ValidateParamsResponse, ValidationError } from "../../src/client.ts";
import { RawCalls } from "../grpc/raw-calls.ts";
import type { Group } from "./engine.ts";
import { failure, languages, type Mode, modes, run } from "./run.ts";

const complete = { epochs: 2, optimizer: "adam", rate: 0.25, tags: ["a"] };

const faulty: JsonObject = { epochs: "many", optimizer: "sdg", rate: [], tags: ["a", 5, "b", {}] };
const faults = ["/params/epochs", "/params/optimizer", "/params/rate", "/params/tags/1", "/params/tags/3"];

export const params: Group = {
  subject: "params",
  concurrency: 4,
  cases(check) {
    for (const language of languages) {
      const plugin = `${language}-params`;

      for (const action of ["configured", "coded"]) {
        const schema = `${language}, schema ${action === "configured" ? "in the configuration" : "in code"}`;

        check(`what is wrong with params is said alike in every mode (${schema})`, async ({ client }) => {
          const verdict = await client.validateParams(plugin, action, faulty);
          assert.equal(verdict.valid, false);
          assert.deepEqual(fieldsOf(verdict), faults);
          for (const mode of modes) {
            const error = await failure(run(client, mode, plugin, action, faulty));
            assert.ok(error instanceof ValidationError);
            assert.equal(error.reason, "PARAMS_INVALID");
            assert.deepEqual(plain(error.violations), plain(verdict.violations), mode);
          }
        });

        check(`every missing param is named (${schema})`, async ({ client }) => {
          const verdict = await client.validateParams(plugin, action, {});
          assert.deepEqual(fieldsOf(verdict), ["/params/epochs", "/params/optimizer"]);
          for (const mode of modes) {
            const error = await failure(run(client, mode, plugin, action));
            assert.deepEqual(plain(error.violations), plain(verdict.violations), mode);
          }
        });

        check(`complete params reach the action as they are (${schema})`, async ({ client }) => {
          for (const mode of modes) await expectParams(client, mode, plugin, action, complete, complete);
        });

        check(`defaults are filled in, in the action, the verdict and the job (${schema})`, async ({ client }) => {
          const given = { epochs: 3, optimizer: "sgd" };
          const filled = { ...given, rate: 0.5, tags: [] };
          for (const mode of modes) await expectParams(client, mode, plugin, action, given, filled);
          const verdict = await client.validateParams(plugin, action, given);
          assert.equal(verdict.valid, true);
          assert.deepEqual(withoutLayer(verdict.params), filled);
          const job = await client.submitJob(plugin, action, given);
          assert.deepEqual(withoutLayer(job.snapshot.params), filled);
        });
      }

      check(
        `defaults are filled in within objects, and unknown names are refused (${language})`,
        async ({ client }) => {
          const given = { epochs: 3, optimizer: "sgd" };
          const verdict = await client.validateParams(plugin, "configured", given);
          assert.deepEqual(verdict.params?.layer, { units: 16 });
          const { violations } = await client.validateParams(plugin, "configured", { ...given, epoch: 1 });
          assert.deepEqual(
            violations.map(({ field, rule }) => [field, rule]),
            [["/params/epoch", "additionalProperties"]],
          );
          assert.match(violations[0]?.description ?? "", /epochs/);
        },
      );

      check(`a name that an action does not know is told, and refuses nothing (${language})`, async (engine) => {
        const { client, server } = engine;
        const given = { epoch: 50, layers: [{ units: 1 }, { unit: 2 }] };
        const expected = [
          ["/params/epoch", "ignored"],
          ["/params/layers/1/unit", "ignored"],
        ];
        const verdict = await client.validateParams(plugin, "open", given);
        assert.equal(verdict.valid, true);
        assert.deepEqual(told(verdict.warnings), expected);
        assert.match(verdict.warnings[0]?.description ?? "", /Did you mean "epochs"\?$/);
        const job = await client.submitJob(plugin, "open", given);
        assert.deepEqual(told(job.snapshot.warnings), expected);
        assert.deepEqual(told((await client.getJob(job.id)).warnings), expected);
        using raw = new RawCalls(server.address);
        for (const mode of [RunMode.LOCAL, RunMode.TASK]) {
          const request = { plugin, action: "open", params: given, mode };
          const { result, warnings } = await raw.unary(PluginRunner.method.runPlugin, request);
          assert.deepEqual(told(warnings), expected);
          assert.ok(result, "the action has run");
        }
      });

      check(`a job with invalid params leaves no record (${language})`, async ({ client }) => {
        const jobId = `invalid-${language}`;
        const error = await failure(client.submitJob(plugin, "configured", faulty, { jobId }));
        assert.equal(error.reason, "PARAMS_INVALID");
        assert.equal((await failure(client.getJob(jobId))).reason, "JOB_NOT_FOUND");
      });
    }
  },
};

async function expectParams(
  client: Client,
  mode: Mode,
  plugin: string,
  action: string,
  given: JsonObject,
  expected: JsonObject,
): Promise<void> {
  const seen = await run(client, mode, plugin, action, given);
  assert.deepEqual(withoutLayer(seen), expected, mode);
}

/** Only the schema in the configuration has it. */
function withoutLayer(value: unknown): unknown {
  assert.ok(typeof value === "object" && value !== null);
  const { layer: _, ...rest } = { layer: undefined, ...value };
  return rest;
}

function fieldsOf({ violations }: ValidateParamsResponse): string[] {
  return violations.map(({ field }) => field).sort();
}

function plain(violations: readonly { field: string; description: string; rule: string }[]) {
  return violations.map(({ field, description, rule }) => ({ field, description, rule }));
}

function told(warnings: readonly { field: string; rule: string }[]): string[][] {
  return warnings.map(({ field, rule }) => [field, rule]);
}
