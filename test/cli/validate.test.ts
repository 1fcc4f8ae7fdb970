import assert from "node:assert/strict";
import { test } from "node:test";
import { PluginRunner } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { fakeServer, unary } from "../grpc/fake-server.ts";
import { command } from "./command.ts";

const { method } = PluginRunner;

test("validate sends --env, prints the params with their numbers, and warns of what is not used", async () => {
  const envs: unknown[] = [];
  using server = await fakeServer([
    unary(method.validateParams, async ({ env }) => {
      envs.push(env);
      return {
        valid: true,
        params: { rate: "NaN" },
        nonFinite: ["/rate"],
        warnings: [{ field: "/params/epoch", description: "is not used" }],
      };
    }),
  ]);
  const { address } = server;
  const plain = await command(["validate", "p", "a", "--env", "A=1"], { address });
  assert.deepEqual(plain, { code: 0, out: '{\n  "rate": NaN\n}\n', err: "warning: /params/epoch: is not used\n" });
  assert.deepEqual(envs, [{ A: "1" }]);
  const json = JSON.parse((await command(["validate", "p", "a", "--json"], { address })).out);
  assert.partialDeepStrictEqual(json, { valid: true, params: { rate: "NaN" }, nonFinite: ["/rate"] });
});
