import { once } from "node:events";
import { connect as dial, type Socket } from "node:net";
import { type ConnectionOptions, connect as dialTls } from "node:tls";
import type { ServiceAddress } from "./address.ts";
import type { TlsFiles } from "./tls-options.ts";

/** Longer than a handshake takes: a server may take what it is sent and be silent. */
const defaultPatienceMs = 3000;

/**
 * Why no connection for gRPC comes about with a server that is there: what its library says of that is a line of OpenSSL
 * or a reset. Connects once more, to see with what the server answers. Undefined where that is not it.
 */
export async function connectionCause(
  { host, port, target }: ServiceAddress,
  tls: TlsFiles | undefined,
  patienceMs = defaultPatienceMs,
): Promise<string | undefined> {
  if (host === undefined) return undefined;
  const silence = AbortSignal.timeout(patienceMs);
  const socket = dial({ host, port });
  try {
    await once(socket, "connect", { signal: silence });
    const cause = tls ? await ofTls(socket, host, tls, silence) : await ofPlainText(socket, host, silence);
    return cause?.replace("SERVER", target);
  } catch {
    return undefined;
  } finally {
    socket.destroy();
  }
}

/** Whether a server that plain text was sent to speaks TLS: it does when it shakes hands, or answers with an alert. */
async function ofPlainText(socket: Socket, host: string, silence: AbortSignal): Promise<string | undefined> {
  const code = await handshake(socket, { rejectUnauthorized: false, ...nameOf(host) }, silence);
  const speaksTls = code === undefined || /^ERR_SSL_.*ALERT/.test(code);
  return speaksTls ? "The server at SERVER speaks TLS: connect with the option tls (--tls, --tls-ca FILE)." : undefined;
}

async function ofTls(
  socket: Socket,
  host: string,
  { ca, cert, key }: TlsFiles,
  silence: AbortSignal,
): Promise<string | undefined> {
  const own = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  const code = await handshake(socket, { ...own, ...nameOf(host) }, silence);
  return code === undefined ? undefined : causes.find(([pattern]) => pattern.test(code))?.[1];
}

/** What the codes of OpenSSL and Node mean: https://nodejs.org/api/tls.html#x509-certificate-error-codes. */
const causes: readonly (readonly [code: RegExp, text: string])[] = [
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|RECORD_OVERFLOW|BAD_RECORD_TYPE|ERR_SSL_DATA_LENGTH_TOO_LONG/,
    "The server at SERVER does not speak TLS: connect without the option tls (--tls, --tls-ca).",
  ],
  [
    /SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|CERT_SIGNATURE_FAILURE|INVALID_CA|CERT_UNTRUSTED/,
    "The certificate of SERVER is not trusted: it is signed by none of the given authorities; give its authority as tls.ca (--tls-ca FILE).",
  ],
  [/ALTNAME_INVALID/, "The certificate of SERVER is not trusted: it is that of another host."],
  [/CERT_HAS_EXPIRED/, "The certificate of SERVER is not trusted: it has expired."],
  [/CERT_NOT_YET_VALID/, "The certificate of SERVER is not trusted: it is not yet valid."],
  [
    /ALERT_CERTIFICATE_REQUIRED|ALERT_HANDSHAKE_FAILURE|ALERT_UNKNOWN_CA|ALERT_BAD_CERTIFICATE|ALERT_CERTIFICATE_UNKNOWN/,
    "The server at SERVER wants a certificate of the client that it trusts: give tls.cert and tls.key (--tls-cert, --tls-key).",
  ],
];

/** The code that a handshake fails with; undefined when both sides took it. */
async function handshake(
  socket: Socket,
  options: ConnectionOptions,
  silence: AbortSignal,
): Promise<string | undefined> {
  const secure = dialTls({ ...options, socket, ALPNProtocols: ["h2"] });
  try {
    await once(secure, "secureConnect", { signal: silence });
    // With TLS 1.3 a server refuses a client's certificate after the client has taken the handshake.
    await Promise.race([once(secure, "data"), once(secure, "close"), once(silence, "abort")]);
    return undefined;
  } catch (error) {
    if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
    throw error;
  } finally {
    secure.destroy();
  }
}

/** An address cannot be a server name: https://www.rfc-editor.org/rfc/rfc6066#section-3. */
function nameOf(host: string): ConnectionOptions {
  return /^[\d.]+$|:/.test(host) ? {} : { servername: host };
}
