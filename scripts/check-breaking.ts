/** Checks that `proto` breaks no client of what was published last: the main branch of origin, else the last commit. */
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const known = (ref: string) =>
  spawnSync("git", ["cat-file", "-e", `${ref}:buf.yaml`], { cwd: root, stdio: "ignore" }).status === 0;
const base = ["origin/main", "HEAD"].find(known);
if (base === undefined) console.log("Nothing was published yet.");
else execFileSync("buf", ["breaking", "--against", `.git#ref=${base}`], { cwd: root, stdio: "inherit" });
