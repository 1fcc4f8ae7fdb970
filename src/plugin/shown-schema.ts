import { isDeepStrictEqual } from "node:util";
import type { JsonObject } from "@bufbuild/protobuf";
import { isJsonObject } from "../util/json.ts";
import { toPlainJson } from "../util/plain-json.ts";
import { toNewerSchema } from "./older-schema.ts";

const dialect = "https://json-schema.org/draft/2020-12/schema";

/**
 * A schema for clients, in the words of 2020-12: numbers that JSON does not have, which a default may be, are shown as
 * text.
 */
export function shownSchema(schema: JsonObject): JsonObject {
  const { value } = toPlainJson(schema);
  if (!isJsonObject(value)) return {};
  const newer = toNewerSchema(value);
  return isDeepStrictEqual(newer, value) ? value : { ...newer, ...("$schema" in newer && { $schema: dialect }) };
}
