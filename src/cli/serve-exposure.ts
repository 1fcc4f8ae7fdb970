import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import type { ServerTls } from "../http/server.ts";
import { messageOf } from "../util/message-of.ts";
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
  const faults = exposureFaults(options);
  if (faults.length > 0) throw new UsageError(faults.join("\n"));
  return { tls: readTls(options), token: readToken(options) };
}

/** Everything that is wrong with how the ports are guarded, so that one start tells all. */
function exposureFaults(options: ServeOptions): string[] {
  const { listen, httpListen, httpAllowOrigin, tlsCert, tlsKey, tlsClientCa, tokenFile, insecure } = options;
  const guarded = tlsCert !== undefined || tokenFile !== undefined || insecure;
  return [
    ...((tlsCert === undefined) === (tlsKey === undefined) ? [] : [lonelyHalf(tlsCert)]),
    ...(tlsClientCa !== undefined && tlsCert === undefined ? ["--tls-client-ca needs --tls-cert and --tls-key."] : []),
    ...addressFaults("listen", listen, guarded),
    ...(httpListen === undefined ? [] : addressFaults("http-listen", httpListen, guarded)),
    ...httpAllowOrigin.flatMap(originFaults),
  ];
}

function lonelyHalf(tlsCert: string | undefined): string {
  const [given, absent] = tlsCert === undefined ? ["--tls-key", "--tls-cert"] : ["--tls-cert", "--tls-key"];
  return `${given} needs ${absent} as well: a certificate and its key go together.`;
}

/** This service runs code: whoever reaches it has to be meant to. */
function addressFaults(option: string, address: string, guarded: boolean): string[] {
  if (!/:\d{1,5}$|^unix:/.test(address)) return [`--${option} ${address} is not an address: write HOST:PORT.`];
  if (guarded || isLoopback(address)) return [];
  return [
    `--${option} ${address} is reached from other machines, and this service runs code: give --tls-cert and --tls-key, --token-file, or --insecure.`,
  ];
}

function originFaults(origin: string): string[] {
  if (URL.canParse(origin) && new URL(origin).origin === origin) return [];
  return [`--http-allow-origin ${origin} is not an origin: write https://app.example.com.`];
}

export function isLoopback(address: string): boolean {
  const host = address.replace(/:\d+$/, "");
  return host === "localhost" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host) || address.startsWith("unix:");
}

function readTls({ tlsCert, tlsKey, tlsClientCa }: ServeOptions): ServerTls | undefined {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  const tls = {
    cert: readNamedFile("tls-cert", tlsCert),
    key: readNamedFile("tls-key", tlsKey),
    ca: tlsClientCa === undefined ? undefined : readNamedFile("tls-client-ca", tlsClientCa),
  };
  checkPair(tls, tlsCert, tlsKey);
  if (tls.ca !== undefined) checkPart("tls-client-ca", tlsClientCa, () => createSecureContext({ ca: tls.ca }));
  return tls;
}

/** A port would say of these only that it cannot be opened. */
function checkPair({ cert, key }: ServerTls, certFile: string, keyFile: string): void {
  const certificate = checkPart("tls-cert", certFile, () => new X509Certificate(cert));
  const privateKey = checkPart("tls-key", keyFile, () => createPrivateKey(key));
  if (certificate.checkPrivateKey(privateKey)) return;
  throw new UsageError(`--tls-key ${keyFile} is the key of another certificate than --tls-cert ${certFile}.`);
}

function checkPart<T>(option: string, file: string | undefined, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new UsageError(`--${option} ${file} cannot be used: ${messageOf(error)}`);
  }
}

function readToken({ tokenFile }: ServeOptions): string | undefined {
  if (tokenFile === undefined) return undefined;
  const token = readNamedFile("token-file", tokenFile).trim();
  if (token === "") throw new UsageError(`--token-file ${tokenFile} holds no token.`);
  return token;
}
