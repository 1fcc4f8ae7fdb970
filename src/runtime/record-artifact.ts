import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, mkdir, realpath, stat } from "node:fs/promises";
import { basename, isAbsolute, join, relative, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { pathToFileURL } from "node:url";
import type { EventRecord } from "../worker/messages.ts";
import type { ArtifactOptions } from "./action-context.ts";
import { encodeFields, pointersOf } from "./encode.ts";

type ArtifactRecord = Omit<Extract<EventRecord, { type: "artifact" }>, "time">;

/** Describes a file of a run; one from outside `workDir` is copied into `workDir/artifacts` first. */
export async function recordArtifact(workDir: string, path: string, options: ArtifactOptions): Promise<ArtifactRecord> {
  const given = resolve(workDir, path);
  const info = await stat(given);
  if (!info.isFile()) throw new TypeError(`${path} is not a file: an artifact is a single file.`);
  const name = options.name ?? basename(given);
  const file = await within(workDir, given);
  const metadata = encodeFields(options.metadata ?? {});
  return {
    type: "artifact",
    name,
    uri: pathToFileURL(file).href,
    media_type: options.mediaType ?? "",
    size_bytes: info.size,
    sha256: await sha256(file),
    metadata: metadata.value,
    ...pointersOf(metadata),
  };
}

async function within(workDir: string, file: string): Promise<string> {
  const real = await realpath(file);
  const way = relative(await realpath(workDir), real);
  if (!way.startsWith("..") && !isAbsolute(way)) return file;
  const folder = join(workDir, "artifacts");
  await mkdir(folder, { recursive: true });
  const copy = join(folder, basename(file));
  await copyFile(real, copy);
  return copy;
}

async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}
