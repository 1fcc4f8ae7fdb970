import type { ServerTls } from "../http/server.ts";
import { readNamedFile } from "./named-file.ts";
import type { ServeOptions } from "./serve-options.ts";
import { UsageError } from "./usage-error.ts";

/** Who gets in. */
export interface Exposure {
  tls: ServerTls | undefined;
  token: string | undefined;
}

/** Reads what the ports are guarded with. Throws UsageError for addresses that are none, and for ports that are not guarded. */
export function readExposure(options: ServeOptions): Exposure {
  checkExposure(options);
  return { tls: readTls(options), token: readToken(options) };
}

function checkExposure(options: ServeOptions): void {
  const { listen, httpListen, httpAllowOrigin, tlsCert, tlsKey, tlsClientCa, tokenFile, insecure } = options;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) throw new UsageError("--tls-cert and --tls-key go together.");
  if (tlsClientCa !== undefined && tlsCert === undefined) throw new UsageError("--tls-client-ca needs --tls-cert.");
  const guarded = tlsCert !== undefined || tokenFile !== undefined || insecure;
  checkAddress("listen", listen, guarded);
  if (httpListen !== undefined) checkAddress("http-listen", httpListen, guarded);
  for (const origin of httpAllowOrigin) checkOrigin(origin);
}

/** This service runs code: whoever reaches it has to be meant to. */
function checkAddress(option: string, address: string, guarded: boolean): void {
  if (!/:\d{1,5}$|^unix:/.test(address)) throw new UsageError(`--${option} ${address} is no address: write HOST:PORT.`);
  if (guarded || isLoopback(address)) return;
  throw new UsageError(
    `--${option} ${address} is reached from other machines, and this service runs code: give --tls-cert and --tls-key, --token-file, or --insecure.`,
  );
}

function checkOrigin(origin: string): void {
  if (URL.canParse(origin) && new URL(origin).origin === origin) return;
  throw new UsageError(`--http-allow-origin ${origin} is no origin: write https://app.example.com.`);
}

export function isLoopback(address: string): boolean {
  const host = address.replace(/:\d+$/, "");
  return host === "localhost" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host) || address.startsWith("unix:");
}

function readTls({ tlsCert, tlsKey, tlsClientCa }: ServeOptions): ServerTls | undefined {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  return {
    cert: readNamedFile("tls-cert", tlsCert),
    key: readNamedFile("tls-key", tlsKey),
    ca: tlsClientCa === undefined ? undefined : readNamedFile("tls-client-ca", tlsClientCa),
  };
}

function readToken({ tokenFile }: ServeOptions): string | undefined {
  if (tokenFile === undefined) return undefined;
  const token = readNamedFile("token-file", tokenFile).trim();
  if (token === "") throw new UsageError(`--token-file ${tokenFile} holds no token.`);
  return token;
}
