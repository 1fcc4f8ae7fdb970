import { test } from "node:test";
import { withoutSmallDisk as skip } from "../support/small-disk.ts";
import { fillAtRandom } from "./fills.ts";
import { killAtRandom } from "./kills.ts";
import { misbehave } from "./misbehaviour.ts";

test("whatever is killed at whatever moment, acknowledged jobs run once, tell their whole story and leave nothing", async () => {
  await killAtRandom({ kills: 12, seed: 5 });
});

test("a disk that is full again and again loses nothing of a job, and fails none", { skip }, async () => {
  await fillAtRandom({ fills: 6, seed: 1 });
});

test("plugins that misbehave in turn hurt no call but their own, and cost the service nothing that stays", async () => {
  await misbehave({ calls: 44 });
});
