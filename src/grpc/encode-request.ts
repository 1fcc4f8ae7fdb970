import { type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { messageOf } from "../util/message-of.ts";
import { misuse } from "./client-errors.ts";

/** Encodes a request. Throws REQUEST_INVALID for what its types exclude and callers without types may give. */
export function encodeRequest<Desc extends DescMessage>(desc: Desc, message: MessageShape<Desc>): Buffer {
  try {
    return Buffer.from(toBinary(desc, message));
  } catch (error) {
    // "cannot encode field pluginrunner.v1.Resources.memory_mib to binary: invalid int32: 1.5"
    const [, field = "request", what = messageOf(error)] =
      /^cannot encode (?:field|message) \S+?([a-z_0-9]+) to binary: (.*)$/s.exec(messageOf(error)) ?? [];
    throw misuse(`/${field}`, `cannot be sent: ${what}`, error);
  }
}
