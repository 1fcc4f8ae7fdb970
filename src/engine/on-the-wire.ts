import type { JsonObject } from "@bufbuild/protobuf";
import type { Carried } from "../util/non-finite.ts";
import type { RunRequest } from "../worker/messages.ts";

/** Params as processes that run plugins are sent them. */
export function onTheWire({ value, nonFinite }: Carried<JsonObject>): Pick<RunRequest, "params" | "non_finite"> {
  return nonFinite.length === 0 ? { params: value } : { params: value, non_finite: nonFinite };
}
