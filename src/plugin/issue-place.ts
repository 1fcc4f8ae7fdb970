/** The place that an error's metadata name, as an issue has it; empty where they name none. */
export function issuePlace({ file = "", line = "0", column = "0" }: Readonly<Record<string, string>> = {}) {
  return { file, line: Number(line) || 0, column: Number(column) || 0 };
}
