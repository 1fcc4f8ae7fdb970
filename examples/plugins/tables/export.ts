import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fsum, group, max, min } from "d3-array";
import { type ActionContext, defineAction } from "plugin-runner";
import { datasets, type Row, readRows, valuesOf } from "./dataset.ts";

export const exportGroups = defineAction({
  description: "Groups a table by one column, summarises another one, and writes the summary as a CSV file.",
  params: {
    type: "object",
    additionalProperties: false,
    required: ["dataset", "by", "measure"],
    properties: {
      dataset: { description: "The table.", type: "string", enum: datasets },
      by: { description: "The column whose values make the groups.", type: "string" },
      measure: { description: "The column of numbers to summarise.", type: "string" },
    },
  },
  result: {
    type: "object",
    required: ["file", "rows", "groups"],
    properties: {
      file: { description: "The URI of the CSV file.", type: "string" },
      rows: { description: "How many rows were read.", type: "integer" },
      groups: { description: "How many rows were written.", type: "integer" },
    },
  },
  async run({ dataset, by, measure }, ctx) {
    const rows = await readAll(dataset, ctx);
    const columns = Object.keys(rows[0] ?? {});
    for (const name of [by, measure]) {
      if (!columns.includes(name)) throw new Error(`${dataset} has no column "${name}". It has ${columns.join(", ")}.`);
    }

    const groups = [...group(rows, (row) => row[by] ?? "")].map(([name, members]) => summarise(name, members, measure));
    groups.sort((left, right) => right.count - left.count);
    ctx.log(`${dataset}: ${rows.length} rows in ${groups.length} groups by ${by}`);
    ctx.setMetrics({ rows: rows.length, groups: groups.length });

    const path = join(ctx.workDir, `${dataset}-by-${by.replaceAll(/\W+/g, "-")}.csv`);
    await writeFile(path, toCsv(groups));
    const uri = await ctx.artifact(path, { mediaType: "text/csv" });
    ctx.setProgress(1, 1, { step: "write", message: `${groups.length} groups` });
    return { file: uri, rows: rows.length, groups: groups.length };
  },
});

async function readAll(dataset: string, ctx: ActionContext): Promise<Row[]> {
  const rows: Row[] = [];
  let percent = 0;
  for await (const { row, done } of readRows(dataset)) {
    rows.push(row);
    if (Math.floor(done * 100) === percent) continue;
    percent = Math.floor(done * 100);
    ctx.throwIfCancelled();
    ctx.setProgress(percent, 100, { step: "read", message: `${rows.length} rows` });
  }
  return rows;
}

function summarise(name: string, members: Row[], measure: string) {
  const numbers = valuesOf(members, measure).map(Number).filter(Number.isFinite);
  const sum = fsum(numbers);
  const mean = numbers.length > 0 ? sum / numbers.length : undefined;
  return { name, count: members.length, sum, mean, min: min(numbers), max: max(numbers) };
}

function toCsv(groups: ReturnType<typeof summarise>[]): string {
  const header = "name,count,sum,mean,min,max";
  const lines = groups.map((entry) => Object.values(entry).map(quote).join(","));
  return `${[header, ...lines].join("\n")}\n`;
}

function quote(value: string | number | undefined): string {
  const text = String(value ?? "");
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
