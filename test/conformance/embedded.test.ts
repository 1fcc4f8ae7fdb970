import { code } from "./code.ts";
import { crashes } from "./crashes.ts";
import { directories } from "./directories.ts";
import { startEmbedded } from "./embedded.ts";
import { conformance } from "./engine.ts";
import { environment } from "./environment.ts";
import { failures } from "./failures.ts";
import { jobEvents } from "./job-events.ts";
import { jobLife } from "./job-life.ts";
import { leftovers } from "./leftovers.ts";
import { loading } from "./loading.ts";
import { memory } from "./memory.ts";
import { params } from "./params.ts";
import { stops } from "./stops.ts";
import { strays } from "./strays.ts";
import { threads } from "./threads.ts";
import { values } from "./values.ts";

const groups = [
  values,
  params,
  loading,
  failures,
  crashes,
  strays,
  leftovers,
  memory,
  threads,
  ...stops,
  environment,
  directories,
  code,
  jobEvents,
  jobLife,
];

conformance("embedded", groups, startEmbedded);
