import { deviation, max, mean, median, min, rollups } from "d3-array";
import { defineAction } from "plugin-runner";
import { datasets, type Row, readRows, valuesOf } from "./dataset.ts";

export const profile = defineAction({
  description: "Describes every column of a table: its type, gaps, range and most frequent values.",
  params: {
    type: "object",
    additionalProperties: false,
    required: ["dataset"],
    properties: {
      dataset: { description: "The table.", type: "string", enum: datasets },
      top: { description: "How many of the most frequent values to name.", type: "integer", minimum: 0, default: 3 },
    },
  },
  async run({ dataset, top }, ctx) {
    const rows: Row[] = [];
    for await (const { row } of readRows(dataset)) rows.push(row);
    ctx.throwIfCancelled();
    const names = Object.keys(rows[0] ?? {});
    return { dataset, rows: rows.length, columns: names.map((name) => profileColumn(name, rows, top)) };
  },
});

function profileColumn(name: string, rows: Row[], top: number) {
  const values = valuesOf(rows, name);
  const counts = rollups(
    values,
    (group) => group.length,
    (value) => value,
  );
  const column = { name, missing: rows.length - values.length, distinct: counts.length };
  if (values.length > 0 && values.every((value) => Number.isFinite(Number(value)))) {
    return { ...column, type: "number", ...profileNumbers(values.map(Number)) };
  }
  const byCount = counts.toSorted(([, left], [, right]) => right - left);
  return { ...column, type: "text", top: byCount.slice(0, top).map(([value, count]) => ({ value, count })) };
}

function profileNumbers(numbers: number[]) {
  return {
    min: min(numbers),
    max: max(numbers),
    mean: mean(numbers),
    median: median(numbers),
    standard_deviation: deviation(numbers),
  };
}
