import type { JsonObject } from "@bufbuild/protobuf";
import type { Violation } from "../errors.ts";
import { isJsonObject } from "../util/json.ts";
import { type Carried, withNumbers } from "../util/non-finite.ts";
import { toPlainJson } from "../util/plain-json.ts";
import type { LoadedAction, ValidParams } from "./plugin.ts";

const noWarnings: readonly Violation[] = [];

/** Params by the schema that stands outside the action's code, where there is one. Throws PARAMS_INVALID. */
export function checkParams({ validator }: Pick<LoadedAction, "validator">, given: Carried<JsonObject>): ValidParams {
  if (!validator) return { params: given, warnings: noWarnings };
  const numbers = withNumberValues(given);
  const warnings = validator(numbers);
  const isPlain = given.nonFinite.length === 0 && !validator.fillsNonFinite;
  return { params: isPlain ? given : carried(numbers), warnings };
}

/** What a request gives stays as it is where there is nothing to be turned into numbers. */
function withNumberValues({ value, nonFinite }: Carried<JsonObject>): JsonObject {
  const numbers = nonFinite.length === 0 ? value : withNumbers(structuredClone(value), nonFinite);
  return isJsonObject(numbers) ? numbers : value;
}

function carried(numbers: JsonObject): Carried<JsonObject> {
  const { value, nonFinite } = toPlainJson(numbers);
  return { value: isJsonObject(value) ? value : {}, nonFinite };
}
