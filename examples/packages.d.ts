/**
 * The packages of the example plugins, as far as they are used. The service installs them, in environments of their own,
 * so their types are not here when this project is checked as a whole.
 */
declare module "csv-parse" {
  import type { Transform } from "node:stream";
  export function parse(options: { columns: true; bom: true }): Transform & { info: { bytes: number } };
}

declare module "d3-array" {
  export function min(numbers: number[]): number | undefined;
  export function max(numbers: number[]): number | undefined;
  export function mean(numbers: number[]): number | undefined;
  export function median(numbers: number[]): number | undefined;
  export function deviation(numbers: number[]): number | undefined;
  export function fsum(numbers: number[]): number;
  export function group<T>(items: T[], key: (item: T) => string): Map<string, T[]>;
  export function rollups<T, R>(items: T[], reduce: (group: T[]) => R, key: (item: T) => string): [string, R][];
}
