import type { Language } from "../worker/messages.ts";

/** Where a plugin is: a folder with a configuration, or a module. */
export type Location = FolderLocation | ModuleLocation;

export interface FolderLocation {
  kind: "folder";
  /** Absolute real path. */
  folder: string;
  /** Absolute real path of its `config.yaml`. */
  configFile: string;
}

export interface ModuleLocation {
  kind: "module";
  language: Language;
  /** The module's dotted name. */
  code: string;
  /** The plugin root that it was found under; empty for a module that is installed elsewhere. */
  root: string;
  /** As in a binding: the dotted name (Python), or `./a/b.ts`. */
  module: string;
  /** Absolute real path of the module's file; empty for a module that is installed elsewhere. */
  file: string;
  /** What its digest covers: the file, or the folder directly under the root that it stands in. */
  content: string;
}

/** The same text for the same place. */
export function locationKey(location: Location): string {
  return location.kind === "folder" ? location.configFile : `${location.root}\0${location.module}`;
}
