import type { Option } from "./options.ts";

/** For verbs that look at, or copy, what a service on this machine keeps. */
export const dataDirOption = {
  name: "data-dir",
  type: "string",
  default: ".plugin-runner",
  value: "DIR",
  description: "The data directory of a service on this machine.",
} as const satisfies Option;
