import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/** One of the cases that every client passes: README.md says what its fields mean. */
export interface Case {
  name: string;
  do: string;
  target?: string;
  request: Partial<CaseRequest>;
  again?: Partial<CaseRequest>;
  cut_after?: number[];
  silent_after?: number;
  after_sequence?: number;
  count?: number;
  expect: Expectation;
}

export interface CaseRequest {
  plugin: string;
  action: string;
  params: JsonObject;
  mode: "local" | "task";
  entrypoint: string;
  env: Record<string, string>;
  job_id: string;
  labels: Record<string, string>;
  timeout: number;
}

export interface Expectation {
  result?: JsonValue;
  contains?: JsonValue;
  error?: ExpectedError;
  state?: string;
  events?: JsonObject[];
  logs?: JsonObject[];
  valid?: boolean;
  params?: JsonObject;
  violations?: JsonObject[];
  first_sequence?: number;
}

export interface ExpectedError {
  class: string;
  reason: string;
  code: string;
  message?: string;
  metadata?: JsonObject;
  violations?: JsonObject[];
  exception_type?: string;
  stack?: string;
  retry_after?: number;
}

export function readCases(): Case[] {
  return JSON.parse(readFileSync(join(import.meta.dirname, "cases.json"), "utf8"), (_name, value) => expand(value));
}

function expand(value: unknown): unknown {
  const repeats = typeof value === "object" && value !== null && "$repeat" in value && "times" in value;
  return repeats ? String(value.$repeat).repeat(Number(value.times)) : value;
}
