import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { Metadata, type status } from "@grpc/grpc-js";
import { type Status, StatusSchema } from "../../gen/ts/google/rpc/status_pb.ts";
import type { PluginRunnerError } from "../errors.ts";
import { wellFormed } from "../util/shown-text.ts";
import { toStatus } from "./status.ts";

/** Where a status carries its details: https://grpc.io/docs/guides/error/#richer-error-model. */
export const detailsKey = "grpc-status-details-bin";

/** Beside the details, what is left of the headers that clients take. */
const maxEscapedMessage = 1024;

/** What grpc-js takes as the end of a call. */
export interface CallStatus {
  code: status;
  details: string;
  metadata: Metadata;
}

/** The status of an error, with its details in the standard encoding. */
export function toCallStatus(error: PluginRunnerError): CallStatus {
  const found = toStatus(error);
  const metadata = new Metadata();
  metadata.set(detailsKey, Buffer.from(toBinary(StatusSchema, found)));
  return { code: found.code, details: cutEscaped(error.message, maxEscapedMessage), metadata };
}

/** The details of a status as another side sent them; undefined when there are none that can be read. */
export function fromCallMetadata(metadata: Metadata): Status | undefined {
  const [encoded] = metadata.get(detailsKey);
  if (!(encoded instanceof Uint8Array)) return undefined;
  try {
    return fromBinary(StatusSchema, encoded);
  } catch {
    return undefined;
  }
}

/** Cuts a text so that it has at most `length` characters once grpc-js has escaped it. */
function cutEscaped(given: string, length: number): string {
  const text = wellFormed(given);
  let kept = "";
  let escaped = 0;
  for (const character of text) {
    escaped += encodeURI(character).length;
    if (escaped > length) return `${kept}…`;
    kept += character;
  }
  return text;
}
