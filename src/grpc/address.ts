import { isIPv4, isIPv6 } from "node:net";
import { misuse } from "./client-errors.ts";

const defaultPort = 50151;

/** Names of gRPC's own resolvers, which it reads itself: https://github.com/grpc/grpc/blob/master/doc/naming.md. */
const grpcName = /^(dns|unix|unix-abstract|ipv4|ipv6|xds|vsock):/;

/** Where a service is. */
export interface ServiceAddress {
  /** As gRPC takes it. */
  target: string;
  /** Undefined for a name of gRPC's, such as a socket of Unix. */
  host: string | undefined;
  port: number;
}

/** Reads `host:port`; the port is 50151 where there is none. Throws REQUEST_INVALID for what is no address. */
export function readAddress(text: string): ServiceAddress {
  const scheme = /^([a-z][a-z+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === "http" || scheme === "https") {
    const tls = scheme === "https" ? "; TLS is chosen with the option tls (--tls)" : "";
    throw misuse("/address", `is ${text}, a URL: give it as host:port${tls}`);
  }
  if (grpcName.test(text)) return { target: text, host: undefined, port: defaultPort };
  const [host, port] = isIPv6(text) ? [text, undefined] : split(text);
  const number = port === undefined ? defaultPort : Number(port);
  const isPort = port === undefined || (/^\d+$/.test(port) && number > 0 && number < 65_536);
  if (host === "" || !isPort || /[\s/@:]/.test(isIPv6(host) ? "" : host)) {
    throw misuse("/address", `is ${text}, and has to be host:port, for example 127.0.0.1:${defaultPort}`);
  }
  return { target: `${isIPv6(host) ? `[${host}]` : host}:${number}`, host, port: number };
}

/** Whether an address is this machine's own: a proxy of the environment does not lead there. */
export function isLoopback(host: string | undefined): boolean {
  if (host === undefined) return false;
  return host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
}

function split(text: string): [host: string, port: string | undefined] {
  const [, bracketed, host = "", port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/.exec(text) ?? [];
  return [bracketed ?? host, port];
}
