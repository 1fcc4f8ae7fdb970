/** The service asks by a signal of its own, so that nobody else's is taken for a cancel. It needs no room on a disk. */
const senders = { SIGUSR2: "SERVICE", SIGTERM: "SIGTERM", SIGINT: "SIGINT" } as const;

export type Sender = (typeof senders)[keyof typeof senders];

/** Who told the process of a job to stop. */
export class Stops {
  /** Whose word ended the action. */
  by: Sender | null = null;
  readonly #impatient = new AbortController();
  readonly #graceSeconds: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(graceSeconds: number) {
    this.#graceSeconds = graceSeconds;
  }

  /** Aborts a grace after the first word: how the job ended is not worth more time then. */
  get impatient(): AbortSignal {
    return this.#impatient.signal;
  }

  /** For the life of the process: whoever tells it to stop is told of. */
  listen(told: (sender: Sender) => void): void {
    for (const signal of ["SIGUSR2", "SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        this.#timer ??= setTimeout(() => this.#impatient.abort(), this.#graceSeconds * 1000);
        told(senders[signal]);
      });
    }
  }
}
