/**
 * The long form of the campaigns of faults, which `faults.test.ts` runs in a short one:
 *
 *     npm run faults -- [kills|fills|misbehaviour] [--seed N] [--count N]
 *
 * Default: all of them, 200 kills, 100 full disks and 10,000 calls, which takes most of an hour. Ends with 1 when a promise was
 * broken; the seed that it prints repeats the choices, though not the moments of the machine.
 */
import { parseArgs } from "node:util";
import { withoutSmallDisk } from "../support/small-disk.ts";
import { fillAtRandom } from "./fills.ts";
import { killAtRandom } from "./kills.ts";
import { misbehave } from "./misbehaviour.ts";

const { values, positionals } = parseArgs({
  options: { seed: { type: "string" }, count: { type: "string" } },
  allowPositionals: true,
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const count = (usual: number) => Number(values.count ?? usual);

const campaigns: Record<string, () => Promise<object>> = {
  kills: () => killAtRandom({ kills: count(200), seed }),
  fills: async () => (withoutSmallDisk ? { skipped: withoutSmallDisk } : fillAtRandom({ fills: count(100), seed })),
  misbehaviour: () => misbehave({ calls: count(10_000) }),
};

for (const name of positionals.length > 0 ? positionals : Object.keys(campaigns)) {
  const campaign = campaigns[name];
  if (campaign === undefined) throw new Error(`Say one of: ${Object.keys(campaigns).join(", ")}.`);
  console.log(`${name}, seed ${seed} …`);
  console.log(await campaign());
}
