import { after, before } from "node:test";
import { startRay, type TestRay } from "../support/ray.ts";
import { startServer } from "../support/server.ts";
import { code } from "./code.ts";
import { crashes } from "./crashes.ts";
import { directories } from "./directories.ts";
import { conformance } from "./engine.ts";
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

const groups = [
  values,
  params,
  loading,
  failures,
  crashes,
  ...stops,
  environment,
  directories,
  code,
  jobEvents,
  jobLife,
  output,
].map((group) => ({ ...group, concurrency: Math.min(group.concurrency, casesAtATime) }));

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
