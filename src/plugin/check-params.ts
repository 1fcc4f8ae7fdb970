import type { JsonObject } from "@bufbuild/protobuf";
import type { Violation } from "../errors.ts";
import { copyOf, isJsonObject } from "../util/json.ts";
import { type Carried, withNumbers } from "../util/non-finite.ts";
import { toPlainJson } from "../util/plain-json.ts";
import type { LoadedAction, ValidParams } from "./plugin.ts";

const noWarnings: readonly Violation[] = [];

/**
 * Params by the schema that stands outside the action's code, where there is one. `given` stays as it is: another version
 * of the plugin, with defaults of its own, may be asked next. Throws PARAMS_INVALID.
 */
export function checkParams({ validator }: Pick<LoadedAction, "validator">, given: Carried<JsonObject>): ValidParams {
  if (!validator) return { params: given, warnings: noWarnings };
  const numbers = withNumberValues(given, validator.fillsDefaults ?? true);
  const warnings = validator(numbers);
  const isPlain = given.nonFinite.length === 0 && !validator.fillsNonFinite;
  return { params: isPlain ? { value: numbers, nonFinite: [] } : carried(numbers), warnings };
}

function withNumberValues({ value, nonFinite }: Carried<JsonObject>, changes: boolean): JsonObject {
  if (nonFinite.length === 0) return changes ? copyOf(value) : value;
  const numbers = withNumbers(structuredClone(value), nonFinite);
  return isJsonObject(numbers) ? numbers : value;
}

function carried(numbers: JsonObject): Carried<JsonObject> {
  const { value, nonFinite } = toPlainJson(numbers);
  return { value: isJsonObject(value) ? value : {}, nonFinite };
}
