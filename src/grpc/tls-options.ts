import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { messageOf } from "../util/message-of.ts";
import { misuse } from "./client-errors.ts";

/** PEM texts; absent: the system's certificate authorities, and no certificate of one's own. */
export interface TlsOptions {
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
}

/** The same as bytes, checked. */
export interface TlsFiles {
  ca: Buffer | null;
  cert: Buffer | null;
  key: Buffer | null;
}

/**
 * Reads the options of TLS. Throws REQUEST_INVALID where a file holds something else than its option says, a certificate
 * has no key, or another one's: a handshake would fail over it without a word of why.
 */
export function readTls({ ca, cert, key }: TlsOptions): TlsFiles {
  if (ca !== undefined) certificateOf("/tls/ca", ca);
  if (cert !== undefined && key === undefined) throw misuse("/tls/key", "is missing: a certificate needs its key");
  if (key !== undefined && cert === undefined) throw misuse("/tls/cert", "is missing: a key needs its certificate");
  if (cert !== undefined && key !== undefined) {
    const isPair = certificateOf("/tls/cert", cert).checkPrivateKey(keyOf("/tls/key", key));
    if (!isPair) throw misuse("/tls/key", "is not the key of the certificate in /tls/cert");
  }
  return { ca: bytes(ca), cert: bytes(cert), key: bytes(key) };
}

function certificateOf(field: string, pem: string | Buffer): X509Certificate {
  if (!String(pem).includes("-----BEGIN CERTIFICATE-----")) {
    const found = /-----BEGIN ([A-Z ]+)-----/.exec(String(pem))?.[1]?.toLowerCase();
    throw misuse(field, `holds ${found ? `a ${found}` : "no PEM text"}, and has to hold a certificate as PEM`);
  }
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw misuse(field, `holds a certificate that cannot be read: ${messageOf(error)}`);
  }
}

function keyOf(field: string, pem: string | Buffer): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // What OpenSSL says of a key may show a part of it.
    throw misuse(field, "holds no private key as PEM, or one with a passphrase");
  }
}

function bytes(text: string | Buffer | undefined): Buffer | null {
  return text === undefined ? null : Buffer.from(text);
}
