#!/usr/bin/env node
import { nodeTooOld } from "./node-version.ts";

// The rest is loaded afterwards: an older Node fails while it loads, over whatever it misses first.
const fault = nodeTooOld(process.versions.node);
if (fault === undefined) {
  await import("./compile-cache.ts");
  await import("./program.ts");
} else {
  process.stderr.write(`error: ${fault}\n`);
  process.exitCode = 2;
}
