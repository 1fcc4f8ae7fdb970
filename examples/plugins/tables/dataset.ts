import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parse } from "csv-parse";

/** The tables of the package `@observablehq/sample-datasets`. */
export const datasets = [
  "aapl",
  "cars",
  "citywages",
  "diamonds",
  "industries",
  "olympians",
  "penguins",
  "pizza",
  "weather",
];

export type Row = Record<string, string>;

/** The column's values, without those that the tables leave empty or call "NaN". */
export function valuesOf(rows: Row[], column: string): string[] {
  return rows.map((row) => row[column] ?? "").filter((value) => value !== "" && value !== "NaN");
}

/** Yields a table's rows, each with the part of the file that was read so far, from 0 to 1. */
export async function* readRows(dataset: string): AsyncGenerator<{ row: Row; done: number }> {
  const path = fileURLToPath(import.meta.resolve(`@observablehq/sample-datasets/${dataset}.csv`));
  const { size } = await stat(path);
  const parser = createReadStream(path).pipe(parse({ columns: true, bom: true }));
  for await (const row of parser) yield { row, done: parser.info.bytes / size };
}
