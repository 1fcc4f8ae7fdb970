/** The command line, the environment or the configuration file cannot be used; one line a fault. Exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
