/** Runs the benchmarks, or those that are named, and prints a Markdown table: `npm run bench [-- NAME…]`. */
import { calls } from "./calls.ts";
import { discovery } from "./discovery.ts";
import { fanOut } from "./fan-out.ts";
import { firstCall } from "./first-call.ts";
import { latency } from "./latency.ts";
import { memory } from "./memory.ts";
import { ray } from "./ray.ts";
import { restart } from "./restart.ts";
import { start } from "./start.ts";
import { type Line, machine } from "./support.ts";

const benchmarks = { calls, firstCall, latency, fanOut, restart, start, memory, discovery, ray };

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in benchmarks));
if (unknown.length > 0)
  throw new Error(`No such benchmark: ${unknown}. There are ${Object.keys(benchmarks).join(", ")}.`);

const lines: Line[] = [];
for (const [name, measure] of Object.entries(benchmarks)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  console.error(`measuring ${name} …`);
  try {
    lines.push(...(await measure()));
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  }
}
console.log(table(lines));
console.log(`\nMeasured on ${machine()}.`);

function table(lines: Line[]): string {
  const rows = lines.map(
    ({ what, floor, measured, difference, target, kept }) =>
      `| ${[what, floor, measured, difference, target, kept ? "yes" : "**no**"].join(" | ")} |`,
  );
  return [
    "| what | floor | measured | difference | target | kept |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}
