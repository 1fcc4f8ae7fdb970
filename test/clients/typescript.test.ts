import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { type Client, type ConnectOptions, connect } from "../../src/client.ts";
import { withoutCertificates } from "../support/certificates.ts";
import { patienceMs } from "../support/limits.ts";
import { readCases } from "./cases.ts";
import { runCase } from "./run-case.ts";
import { startTargets, type Targets } from "./targets.ts";
import { testValues } from "./values.ts";

/** How each target of the cases is reached. */
const targets: Record<string, (all: Targets) => ConnectOptions> = {
  plain: ({ plain }) => ({ address: plain }),
  secure: ({ secure }) => ({ ...secure, tls: { ca: readFileSync(secure.ca) } }),
  secure_without_token: ({ secure }) => ({ address: secure.address, token: "", tls: { ca: readFileSync(secure.ca) } }),
  secure_without_ca: ({ secure }) => ({ address: secure.address, token: secure.token, tls: true }),
  mutual: ({ mutual: { address, ca, cert, key } }) => ({
    address,
    tls: { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) },
  }),
  reasons: ({ reasons }) => ({ address: reasons }),
  down: ({ down }) => ({ address: down }),
  silent: ({ silent }) => ({ address: silent.address, heartbeatTimeoutMs: 1000 }),
  leaving: ({ leaving }) => ({ address: leaving.address }),
};

describe("the TypeScript client in Node passes the cases of every client", { skip: withoutCertificates }, () => {
  const open = new AsyncDisposableStack();
  let all: Targets;
  const clientOf = (options: ConnectOptions): Client => open.use(connect(options));

  before(async () => {
    all = open.use(await startTargets());
  });
  after(() => open.disposeAsync());

  for (const one of readCases()) {
    test(one.name, { timeout: patienceMs }, async () => {
      const options = targets[one.target ?? "plain"]?.(all) ?? {};
      await runCase(one, {
        client: clientOf(options),
        proxied: clientOf({ address: all.proxy.address }),
        all,
      });
    });
  }

  testValues(() => clientOf({ address: all.plain }));
});
