/** What the file system says of itself, and not of a path that is wrong. */
const fileSystemCodes: readonly unknown[] = [
  ...["ENOSPC", "EDQUOT", "EFBIG", "EIO", "EROFS"],
  ...["ESTALE", "ENODEV", "ENXIO", "ENOTCONN"],
];

/** SQLite's primary result codes by what the file system would have said: https://sqlite.org/rescode.html. */
const sqliteCodes: Readonly<Record<number, string>> = { 8: "EROFS", 10: "EIO", 13: "ENOSPC", 14: "EIO" };

const maxCauses = 8;

/**
 * The code of a failure of storage, such as `ENOSPC` or `EIO`, whether the file system or SQLite said it; an error's causes
 * count as well. Undefined for every other failure.
 */
export function storageCodeOf(error: unknown): string | undefined {
  let at = error;
  for (let depth = 0; at instanceof Error && depth < maxCauses; depth++, at = at.cause) {
    const code = ownCode(at);
    if (code !== undefined) return code;
  }
  return undefined;
}

/** The primary result code of an error of SQLite, undefined for any other: https://sqlite.org/rescode.html. */
export function sqliteCodeOf(error: unknown): number | undefined {
  return error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : undefined;
}

function ownCode(error: Error): string | undefined {
  const code = sqliteCodeOf(error);
  if (code !== undefined) return sqliteCodes[code];
  if ("code" in error && fileSystemCodes.includes(error.code)) return String(error.code);
  return undefined;
}
