import { isIP } from "node:net";
import { cors } from "@connectrpc/connect";

export interface GuardOptions {
  /** Origins (`https://app.example.com`) whose pages may call, beside the port's own. */
  allowedOrigins: readonly string[];
  /** Whether a call has to bring a token, which a page of another site does not have. */
  wantsToken: boolean;
}

/** What a request says of where it comes from. */
export interface RequestOrigin {
  method: string | undefined;
  host: string | undefined;
  origin: string | undefined;
  /** `Sec-Fetch-Site`: browsers that leave `Origin` out, as for an image, still say here that a page of another site asks. */
  site: string | undefined;
}

/** A request that goes on, with headers for its answer; or one that is answered at once. */
export type Verdict = { headers: Record<string, string>; status?: number; body?: string };

/**
 * Keeps pages of other sites out: this service runs code, and a browser carries their requests to any port of its machine.
 * `Origin` tells a page of another site, `Host` one whose name was pointed at this address (DNS rebinding). Pages of
 * allowed origins get the headers of CORS: https://fetch.spec.whatwg.org/#http-cors-protocol.
 */
export function originGuard({ allowedOrigins, wantsToken }: GuardOptions): (request: RequestOrigin) => Verdict {
  const origins = new Set(allowedOrigins);
  const hosts = new Set(allowedOrigins.map((origin) => new URL(origin).host));
  return ({ method, host = "", origin, site = "none" }) => {
    if (!wantsToken && !isDirect(host) && !hosts.has(host)) {
      return refusal(`Host ${host} is not this service's: name it with --http-allow-origin, or ask for a token.`);
    }
    if (origin === undefined && ownSites.includes(site)) return { headers: {} };
    if (origin === undefined) return refusal("Pages of other sites may not ask.");
    if (!origins.has(origin)) {
      if (hostOf(origin) === host) return { headers: {} };
      return refusal(`Pages of ${origin} may not call this service: allow them with --http-allow-origin.`);
    }
    const headers = {
      "access-control-allow-origin": origin,
      "access-control-expose-headers": cors.exposedHeaders.join(", "),
      vary: "Origin",
    };
    return method === "OPTIONS" ? { status: 204, headers: { ...headers, ...preflightHeaders } } : { headers };
  };
}

/** A page of the port itself, and what no page asked for. */
const ownSites: readonly string[] = ["same-origin", "none"];

const preflightHeaders = {
  "access-control-allow-methods": cors.allowedMethods.join(", "),
  "access-control-allow-headers": [...cors.allowedHeaders, "Authorization"].join(", "),
  // Two hours, the most that browsers keep it.
  "access-control-max-age": "7200",
};

function refusal(body: string): Verdict {
  return { status: 403, headers: { "content-type": "text/plain; charset=utf-8" }, body: `${body}\n` };
}

/** Whether a name cannot have been pointed elsewhere: an address, or this machine. */
function isDirect(host: string): boolean {
  const name = host.replace(/:\d+$/, "");
  return name === "localhost" || isIP(name.replace(/^\[(.*)\]$/, "$1")) !== 0;
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
