import { createHash, timingSafeEqual } from "node:crypto";
import type { Metadata } from "@grpc/grpc-js";
import { PluginRunnerError } from "../errors.ts";

/** A check of the `authorization: Bearer …` of a call: of nothing when no token is set. */
export function bearerAuthentication(token: string | undefined): (call: { metadata: Metadata }) => void {
  if (token === undefined) return () => {};
  const expected = digest(`Bearer ${token}`);
  return ({ metadata }) => {
    const [given] = metadata.get("authorization");
    if (given === undefined) {
      throw new PluginRunnerError("UNAUTHENTICATED", "This server wants a token: send authorization: Bearer <token>.");
    }
    if (!timingSafeEqual(digest(String(given)), expected)) {
      throw new PluginRunnerError("UNAUTHENTICATED", "The token is not the one of this server.");
    }
  };
}

/** Equal lengths, which `timingSafeEqual` wants. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
