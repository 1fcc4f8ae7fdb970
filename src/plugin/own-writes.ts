import { posix } from "node:path";
import { type FileEntry, type FileTree, withApart } from "./file-tree.ts";
import { isCode } from "./is-code.ts";
import { hasPassed, type RunsSoFar, RunTimes } from "./run-times.ts";
import { type Stamp, sameStamp, stampOf } from "./stamp.ts";

/** A plugin may write files of ever new names: further ones count. */
const maxFiles = 10_000;
/** At the end of a run so many files are looked at. */
const maxLooks = 100;

/** A file that runs of the plugin write. */
interface OwnFile {
  readonly path: string;
  /** The actions whose runs have written it. */
  readonly writers: ReadonlySet<string>;
  /** The hash that counts; undefined while nothing of the file does. */
  counted: string | undefined;
  readonly current: string;
  /** When it changed, in milliseconds since 1970. */
  readonly changedAt: number;
  /** Whether it was written once so far, by the run that made it. */
  readonly isNew: boolean;
  /** False for a file that was there, until a second run has changed it. */
  readonly isOwn: boolean;
  /** Of the file when a run had just ended: what differs was written by somebody else, or by a run that goes on. */
  seenAtEnd: Stamp | undefined;
}

interface Kind {
  readonly writers: ReadonlySet<string>;
  readonly changedAt: number;
}

/**
 * What a plugin's own runs write into its directory, which does not make a new version of it. A file that is no code is
 * set apart when it first appears during a run of a single action, or when it is changed in one run after the other. It
 * counts as it is as soon as it changes while no run is under way, a run of its action leaves it as it is, or another
 * action is asked for: that may have read it when its code was loaded.
 */
export class OwnWrites {
  readonly #runs = new RunTimes();
  readonly #files = new Map<string, OwnFile>();
  readonly #kinds = new Map<string, Kind>();
  #judged: { tree: FileTree; as: FileTree } | undefined;
  /** Whether a run ever began. */
  hasRun = false;

  /** To be called when a run begins; what it returns, once the run has ended. */
  begin(action: string): () => void {
    this.hasRun = true;
    const end = this.#runs.begin(action);
    return () => {
      if (this.#files.size > 0) this.#lookAtEnd();
      end();
    };
  }

  /** Whether there are changes that do not count. */
  get deferred(): boolean {
    return this.#judged?.as.apart !== undefined;
  }

  /** To be called before the files are read; `judge` needs it. */
  soFar(): RunsSoFar {
    return this.#runs.soFar();
  }

  /** Takes note of a tree that was read, which may be the same as the last one. */
  judge(before: FileTree | undefined, tree: FileTree, soFar: RunsSoFar): void {
    if (before && before !== tree) this.#compare(before, tree, soFar.at);
    this.#runs.forget(soFar.at);
    this.#countLeftAlone(soFar);
  }

  /** The tree with the digest that counts for calls of an action, or of none. */
  countFor(action: string | undefined, tree: FileTree): FileTree {
    const counted = new Map<string, string | undefined>();
    for (const [name, file] of this.#files) {
      if (file.counted === file.current) continue;
      if (action !== undefined && !file.writers.has(action)) file.counted = file.current;
      else counted.set(name, file.counted);
    }
    const as = counted.size === 0 ? tree : withApart(tree, counted);
    const same = this.#judged?.tree === tree && this.#judged.as.digest === as.digest;
    if (!same) this.#judged = { tree, as };
    return this.#judged?.as ?? as;
  }

  #compare(before: FileTree, tree: FileTree, startedAt: number): void {
    for (const [name, entry] of tree.files) {
      const old = before.files.get(name);
      if (old === entry || isCode(name)) continue;
      const known = this.#files.get(name);
      const isWritten = known !== undefined && known.changedAt !== changeOf(entry); // maybe with the content that it had
      if (isWritten || old?.hash !== entry.hash) this.#changed(name, old, entry, startedAt);
    }
    for (const name of this.#files.keys()) if (!tree.files.has(name)) this.#files.delete(name);
  }

  #changed(name: string, old: FileEntry | undefined, entry: FileEntry, startedAt: number): void {
    const { path, hash, stamp } = entry;
    const known = this.#files.get(name);
    const kind = kindOf(name);
    const before = known?.writers ?? (old ? undefined : this.#kinds.get(kind)?.writers);
    const isAsAtEnd = known?.seenAtEnd === undefined || sameStamp({ ...known.seenAtEnd, settled: true }, stamp);
    const actions = this.#runs.during([stamp.mtimeMs, stamp.ctimeMs], {
      after: known && !known.isOwn ? known.changedAt : 0,
      open: isAsAtEnd ? 0 : startedAt,
    });
    // Of several actions at a time nobody knows which one wrote it, but for one that does so always.
    const writers = actions.length === 1 ? actions : actions.filter((action) => before?.has(action));
    if (writers.length === 0 || (!known && this.#files.size >= maxFiles)) {
      this.#files.delete(name);
      return;
    }
    const changedAt = changeOf(entry);
    const all = new Set([...(before ?? []), ...writers]);
    const counted = known ? known.counted : old && hash;
    const isOwn = known !== undefined || !old;
    const seenAtEnd = known?.seenAtEnd;
    this.#files.set(name, { path, writers: all, counted, current: hash, changedAt, isNew: !old, isOwn, seenAtEnd });
    if (!old) this.#kinds.set(kind, { writers: all, changedAt });
  }

  /** What a whole run of its action has not written is no longer what every run writes. */
  #countLeftAlone(soFar: RunsSoFar): void {
    for (const [name, file] of this.#files) {
      const others = file.isNew ? (this.#kinds.get(kindOf(name))?.changedAt ?? 0) : 0;
      const since = Math.max(file.changedAt, others);
      if ([...file.writers].some((action) => hasPassed(soFar, action, since))) this.#files.delete(name);
    }
    if (this.#files.size === 0) this.#kinds.clear();
  }

  #lookAtEnd(): void {
    let looks = 0;
    for (const file of this.#files.values()) {
      if (++looks > maxLooks) return;
      file.seenAtEnd = stampOf(file.path);
    }
  }
}

function changeOf({ stamp }: FileEntry): number {
  return Math.max(stamp.mtimeMs, stamp.ctimeMs);
}

/** New files in one directory with one ending: where every run writes one of a new name, they stand for each other. */
function kindOf(name: string): string {
  return `${posix.dirname(name)}/*${posix.extname(name)}`;
}
