import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { findOnPath } from "../../src/util/find-on-path.ts";

/** Why there are no certificates on this machine; false when there are. */
export const withoutCertificates = findOnPath("openssl") === undefined && "openssl makes the certificates of this test";

/** PEM files of an authority, of a server on this machine, and of a client. */
export interface Certificates {
  ca: string;
  server: { cert: string; key: string };
  client: { cert: string; key: string };
}

/** Makes them in a folder. */
export function makeCertificates(dir: string): Certificates {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: dir, stdio: "pipe" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test authority");
  const pair = (name: string) => {
    openssl("req", ...key, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
    writeFileSync(join(dir, "extensions"), "subjectAltName = IP:127.0.0.1, DNS:localhost\n");
    const issuer = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "extensions"];
    openssl("x509", "-req", "-in", `${name}.csr`, "-out", `${name}.pem`, ...issuer);
    return { cert: join(dir, `${name}.pem`), key: join(dir, `${name}.key`) };
  };
  return { ca: join(dir, "ca.pem"), server: pair("server"), client: pair("client") };
}
