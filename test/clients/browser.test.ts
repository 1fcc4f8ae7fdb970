import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { type ConnectOptions, connect } from "../../src/browser.ts";
import { withoutCertificates } from "../support/certificates.ts";
import { patienceMs } from "../support/limits.ts";
import { readCases } from "./cases.ts";
import { runCase } from "./run-case.ts";
import { startTargets, type Targets } from "./targets.ts";
import { testValues } from "./values.ts";

/** How each target of the cases is reached. A browser's own are its connections, authorities and certificates. */
const targets: Record<string, (all: Targets) => ConnectOptions> = {
  plain: ({ web }) => ({ baseUrl: web.plain }),
  secure: ({ web, secure }) => ({ baseUrl: web.secure, token: secure.token }),
  secure_without_token: ({ web }) => ({ baseUrl: web.secure }),
  reasons: ({ web }) => ({ baseUrl: web.reasons }),
  down: ({ web }) => ({ baseUrl: web.down }),
  leaving: ({ web }) => ({ baseUrl: web.leaving }),
};

describe("the browser's client passes the cases of every client, by fetch", { skip: withoutCertificates }, () => {
  const open = new AsyncDisposableStack();
  let all: Targets;

  before(async () => {
    all = open.use(await startTargets());
    const trusted = getCACertificates("default");
    setDefaultCACertificates([...trusted, readFileSync(all.secure.ca, "utf8")]);
    open.defer(() => setDefaultCACertificates(trusted));
  });
  after(() => open.disposeAsync());

  for (const one of readCases()) {
    const optionsOf = targets[one.target ?? "plain"];
    const skip = optionsOf === undefined && "a browser's own are its connections, authorities and certificates";
    test(one.name, { timeout: patienceMs, skip }, async () => {
      using clients = new DisposableStack();
      const client = clients.adopt(connect(optionsOf?.(all)), (one) => one.close());
      const proxied = clients.adopt(connect({ baseUrl: all.web.proxy }), (one) => one.close());
      await runCase(one, { client, proxied, all });
    });
  }

  testValues(() => open.adopt(connect({ baseUrl: all.web.plain }), (one) => one.close()));
});
