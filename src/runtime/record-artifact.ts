import { createHash } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { copyFile, mkdir, realpath, stat } from "node:fs/promises";
import { basename, isAbsolute, join, parse, relative, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { pathToFileURL } from "node:url";
import { hasCode } from "../util/has-code.ts";
import type { EventRecord } from "../worker/messages.ts";
import type { ArtifactOptions } from "./action-context.ts";
import { encodeFields, pointersOf } from "./encode.ts";
import type { RunDirectory } from "./run-directory.ts";

type ArtifactRecord = Omit<Extract<EventRecord, { type: "artifact" }>, "time">;

/** Describes a file of a run, and copies it to where artifacts stay. */
export async function recordArtifact(
  directory: RunDirectory,
  path: string,
  options: ArtifactOptions,
): Promise<ArtifactRecord> {
  const given = resolve(directory.path, path);
  if (!(await stat(given)).isFile()) throw new TypeError(`${path} is not a file: an artifact is a single file.`);
  const file = await kept(directory, given);
  const metadata = encodeFields(options.metadata ?? {});
  return {
    type: "artifact",
    name: options.name ?? basename(given),
    uri: pathToFileURL(file).href,
    media_type: options.mediaType ?? "",
    size_bytes: (await stat(file)).size,
    sha256: await sha256(file),
    metadata: metadata.value,
    ...pointersOf(metadata),
  };
}

async function kept({ path, artifacts }: RunDirectory, file: string): Promise<string> {
  const real = await realpath(file);
  if (artifacts !== "") return copyTo(artifacts, real, basename(file));
  const way = relative(await realpath(path), real);
  return way.startsWith("..") || isAbsolute(way) ? copyTo(join(path, "artifacts"), real, basename(file)) : file;
}

/** A copy for each artifact, also of equal names: the action may write to its file again. */
async function copyTo(directory: string, file: string, called: string): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const { name, ext } = parse(called);
  for (let number = 1; ; number++) {
    const copy = join(directory, number === 1 ? called : `${name}-${number}${ext}`);
    try {
      await copyFile(file, copy, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      return copy;
    } catch (error) {
      if (!hasCode(error, "EEXIST")) throw error;
    }
  }
}

async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}
