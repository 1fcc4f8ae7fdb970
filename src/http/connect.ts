import { Client, type Patience } from "../grpc/client.ts";
import { misuse } from "../grpc/client-errors.ts";
import { WebChannel } from "./web-channel.ts";

/** What only pages have. */
declare const location: { readonly origin: string } | undefined;
declare const document: (EventTarget & { readonly visibilityState: string }) | undefined;
declare function addEventListener(type: string, listener: () => void, options: { signal: AbortSignal }): void;

/** Where the service's port for browsers is. */
export interface ConnectOptions extends Patience {
  /** `http://host:port` or `https://…`; default: where the page came from. */
  baseUrl?: string | undefined;
  /** Sent as bearer token; default: none. */
  token?: string | undefined;
}

/** Connects to a service from a browser, or wherever there is `fetch`. */
export function connect({ baseUrl, token, ...patience }: ConnectOptions = {}): Client {
  const page = typeof location === "undefined" ? undefined : location.origin;
  const url = baseUrl ?? page;
  if (url === undefined) throw misuse("/baseUrl", "is missing: outside a page there is no address to take");
  return page === undefined
    ? new Client(new WebChannel(url, token, page), patience)
    : new PageClient(url, token, page, patience);
}

/** A client whose watches look for a lost server at once when the network is back, or the page is shown again. */
class PageClient extends Client {
  readonly #closed = new AbortController();

  constructor(baseUrl: string, token: string | undefined, page: string, patience: Patience) {
    super(new WebChannel(baseUrl, token, page), patience);
    const { signal } = this.#closed;
    addEventListener("online", () => this.reconnect(), { signal });
    if (typeof document === "undefined") return;
    const shown = () => document.visibilityState === "visible" && this.reconnect();
    document.addEventListener("visibilitychange", shown, { signal });
  }

  override close(): void {
    this.#closed.abort();
    super.close();
  }
}
