import { join } from "node:path";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { project, startServer, type TestServer } from "../support/server.ts";

/** A server process with the example plugins. */
export function startExamples(): Promise<TestServer> {
  return startServer({ roots: [join(project, "examples/plugins")] });
}

/** Everything that a stream yields. */
export async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

export function object(value: JsonValue | undefined): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new TypeError(`not an object: ${JSON.stringify(value)}`);
}

export function array(value: JsonValue | undefined): JsonValue[] {
  if (Array.isArray(value)) return value;
  throw new TypeError(`not an array: ${JSON.stringify(value)}`);
}
