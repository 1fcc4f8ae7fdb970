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
import { loading } from "./loading.ts";
import { output } from "./output.ts";
import { params } from "./params.ts";
import { stops } from "./stops.ts";
import { values } from "./values.ts";

/** Ray needs seconds of processor time to start a job, also on a machine that has other work. */
const groupsAtATime = 1;
const casesAtATime = 4;

/** Local mode is the same with every engine. */
const notLocal = /^(?!.*, local\))/;

/** What Ray, and not the plugin's process, has a hand in. */
const inBothLanguages = [crashes, ...stops, environment, jobLife];
const inPython = [values, params, loading, failures, directories, code, jobEvents, output];

const groups = [...inPython.map(withoutJavaScript), ...inBothLanguages].map((group) => ({
  ...group,
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

/** The process of a JavaScript plugin is the same on both engines, and each job on Ray costs seconds. */
function withoutJavaScript(group: Group): Group {
  const cases: Group["cases"] = (check) =>
    group.cases((title, body) => {
      if (!title.includes("javascript")) check(title, body);
    });
  return { ...group, cases };
}
