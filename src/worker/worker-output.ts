import type { JsonValue } from "@bufbuild/protobuf";
import { readErrorRecord } from "../errors.ts";
import { isJsonObject } from "../util/json.ts";
import { readWithin } from "./late-load.ts";
import type { WithinMessage, WorkerAnswer } from "./messages.ts";
import { readResult } from "./result.ts";

/** The first word of a worker. */
export interface Ready {
  protocol: JsonValue | undefined;
  runtime: JsonValue | undefined;
}

/** A line that a worker wrote. Throws where it is neither of its first word nor an answer. */
export function parseOutput(line: Buffer): WorkerAnswer | Ready | WithinMessage {
  const message: JsonValue = JSON.parse(line.toString("utf8"));
  if (isJsonObject(message)) {
    const { type, id, ok, value, non_finite: nonFinite, warnings, error } = message;
    if (type === "ready") return { protocol: message.protocol, runtime: message.runtime };
    if (type === "within") return readWithin(message);
    const ending = message.spent === true ? { spent: true } : {};
    if (typeof id === "number" && ok === true && value !== undefined) {
      return { id, ok, ...readResult(value, nonFinite, warnings), ...ending };
    }
    if (typeof id === "number" && ok === false && isJsonObject(error)) {
      return { id, ok, error: readErrorRecord(error), ...ending };
    }
  }
  throw new Error("A line that is neither READY nor an answer.");
}
