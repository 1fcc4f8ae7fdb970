import { after, before } from "node:test";
import { startRay, type TestRay } from "../support/ray.ts";
import { startServer } from "../support/server.ts";
import { code } from "./code.ts";
import { crashes } from "./crashes.ts";
import { directories } from "./directories.ts";
import { conformance, type Group } from "./engine.ts";
import { environment } from "./environment.ts";
import { failures } from "./failures.ts";
import { jobEvents } from "./job-events.ts";
import { jobLife } from "./job-life.ts";
import { leftovers } from "./leftovers.ts";
import { loading } from "./loading.ts";
import { output } from "./output.ts";
import { params } from "./params.ts";
import { stops } from "./stops.ts";
import { values } from "./values.ts";

/** Ray needs seconds of processor time to start a job, also on a machine that has other work. */
const groupsAtATime = 1;
const casesAtATime = 4;

/** Local mode is the same with every engine. */
const notLocal = /^(?!.*\blocal\))/;

/**
 * The groups, and which of their cases are left to the embedded engine. A job takes four seconds of processor time on Ray: one
 * of each kind shows that values, code and events go through it, and that it ends what it runs, in both languages. What the
 * plugin's process does is the same on both engines.
 */
const groupsAndOthers: readonly (readonly [group: Group, others: RegExp])[] = [
  [values, /javascript|(of the table|where there is no JSON|nested too deep|with \w+ is RESULT_INVALID|scalar).*job\)/],
  [params, /javascript/],
  [loading, /javascript/],
  [failures, /javascript/],
  [directories, /javascript/],
  [code, /javascript|(references too|no declared action|nearest).*job\)/],
  [jobEvents, /javascript/],
  [output, /javascript/],
  [crashes, /javascript, task|(abort|shoot|language's exit).*javascript, job/],
  ...stops.map((group) => [group, group.subject.endsWith("javascript") ? /\(task\)/ : /(?!)/] as const),
  [environment, /javascript(?!.*job)|(taken back|passes on|not the plugin's|refused).*javascript, job/],
  [leftovers, /(?!)/],
  [jobLife, /\(javascript\)/],
];

const groups = groupsAndOthers.map(([group, others]) => ({
  ...without(group, others),
  concurrency: Math.min(group.concurrency, casesAtATime),
}));

const cluster = Promise.withResolvers<TestRay>();
before(async () => cluster.resolve(await startRay({ token: true })));
after(async () => (await cluster.promise)[Symbol.asyncDispose]());

conformance(
  "ray",
  groups,
  async ({ args = [], ...options }) => {
    const { address, token = "" } = await cluster.promise;
    return startServer({
      ...options,
      env: { SERVICE_SECRET: "not for plugins", PASSED_ON: "for plugins", RAY_AUTH_TOKEN: token },
      args: ["--ray", address, "--local", "worker", ...args],
    });
  },
  { groupsAtATime, only: notLocal },
);

function without(group: Group, others: RegExp): Group {
  const cases: Group["cases"] = (check) =>
    group.cases((title, body) => {
      if (!others.test(title)) check(title, body);
    });
  return { ...group, cases };
}
