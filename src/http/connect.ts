import { Client, type Patience } from "../grpc/client.ts";
import { WebChannel } from "./web-channel.ts";

/** Absent outside pages. */
declare const location: { readonly origin: string } | undefined;

/** Where the service's port for browsers is. */
export interface ConnectOptions extends Patience {
  /** `http://host:port` or `https://…`; default: where the page came from. */
  baseUrl?: string | undefined;
  /** Sent as bearer token; default: none. */
  token?: string | undefined;
}

/** Connects to a service from a browser, or wherever there is `fetch`. */
export function connect({ baseUrl = pageOrigin(), token, ...patience }: ConnectOptions = {}): Client {
  return new Client(new WebChannel(baseUrl, token), patience);
}

function pageOrigin(): string {
  if (typeof location === "undefined") throw new TypeError("Outside a page, connect() needs a baseUrl.");
  return location.origin;
}
