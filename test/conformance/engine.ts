import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Client } from "../../src/client.ts";
import { patienceMs } from "../support/limits.ts";
import { fixtures, type TestServer, type TestServerOptions } from "../support/server.ts";
import { expectedDifferences } from "./expected-differences.ts";

/** What the cases know of an engine: a service that runs on it. */
export interface Engine {
  readonly client: Client;
  readonly server: TestServer;
  /** A plugin root of the cases' own, to write plugins to while the service runs. */
  readonly scratch: string;
  /** Starts another service of the same kind, with options of its own. */
  start(options: TestServerOptions): Promise<TestServer>;
}

export type StartServer = (options: TestServerOptions) => Promise<TestServer>;

/** Cases of one subject. `check` names a case and gives it the engine. */
export interface Group {
  subject: string;
  /** How many cases run at a time: 1 for those that measure what they share. */
  concurrency: number;
  cases: (check: Check) => void;
}

export type Check = (title: string, body: (engine: Engine) => Promise<void>) => void;

/** The options that every engine's service is tested with. */
const options: readonly string[] = ["--grace", "2s", "--max-workers", "4", "--pass-env", "PASSED_ON"];

export interface ConformanceOptions {
  /** Leaves out the cases whose titles it does not match. Default: none. */
  only?: RegExp;
  /** Default: 4. */
  groupsAtATime?: number;
}

/** Runs groups of cases over the engine of the services that `start` starts, one for all cases. */
export function conformance(
  name: string,
  groups: readonly Group[],
  start: StartServer,
  { only = /(?:)/, groupsAtATime = 4 }: ConformanceOptions = {},
): void {
  describe(`conformance of ${name}`, { concurrency: groupsAtATime }, () => {
    const scratch = mkdtempSync(join(tmpdir(), "plugin-runner-scratch-"));
    const roots = [fixtures, scratch];
    const startOne = (own: TestServerOptions) => start({ roots, ...own, args: [...options, ...(own.args ?? [])] });
    let server: TestServer;
    before(async () => {
      server = await startOne({});
    });
    after(async () => {
      await server[Symbol.asyncDispose]();
      rmSync(scratch, { recursive: true });
    });
    for (const { subject, concurrency, cases } of groups) {
      describe(subject, { concurrency }, () =>
        cases((title, body) => {
          if (!only.test(title)) return;
          const expectFailure = expectedDifferences[name]?.includes(`${subject}: ${title}`) ?? false;
          test(title, { timeout: patienceMs, expectFailure }, () =>
            body({ server, client: server.client, scratch, start: startOne }),
          );
        }),
      );
    }
  });
}
