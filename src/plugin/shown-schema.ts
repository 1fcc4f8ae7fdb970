import type { JsonObject } from "@bufbuild/protobuf";
import { isJsonObject } from "../util/json.ts";
import { toPlainJson } from "../util/plain-json.ts";

/** A schema for clients: numbers that JSON does not have, which a default may be, are shown as text. */
export function shownSchema(schema: JsonObject): JsonObject {
  const { value } = toPlainJson(schema);
  return isJsonObject(value) ? value : {};
}
