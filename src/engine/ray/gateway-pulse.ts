import type { Gateway, GatewayAddress } from "./gateway.ts";

/** How many times in a row a gateway may not answer before it is lost. */
const maxSilences = 3;

interface Beat {
  runs: number;
  silences: number;
  readonly lost: AbortController;
  timer?: NodeJS.Timeout;
}

/**
 * Notices when a gateway is lost that has runs of this service: a machine that is gone, or a process that hangs, breaks no
 * connection.
 */
export class GatewayPulse {
  readonly #gateway: Pick<Gateway, "health">;
  readonly #periodMs: number;
  readonly #beats = new Map<GatewayAddress, Beat>();

  /** While there are runs, the gateway is asked every `periodMs`. */
  constructor(gateway: Pick<Gateway, "health">, periodMs: number) {
    this.#gateway = gateway;
    this.#periodMs = periodMs;
  }

  /** Counts a run in. The signal aborts when the gateway is lost; `leave` counts the run out. */
  join(address: GatewayAddress): { lost: AbortSignal; leave: () => void } {
    const beat = this.#beats.get(address) ?? this.#begin(address);
    beat.runs++;
    const leave = () => {
      beat.runs--;
      if (beat.runs === 0) this.#end(address, beat);
    };
    return { lost: beat.lost.signal, leave };
  }

  #begin(address: GatewayAddress): Beat {
    const beat: Beat = { runs: 0, silences: 0, lost: new AbortController() };
    beat.timer = setInterval(() => void this.#ask(address, beat), this.#periodMs).unref();
    this.#beats.set(address, beat);
    return beat;
  }

  #end(address: GatewayAddress, beat: Beat): void {
    clearInterval(beat.timer);
    if (this.#beats.get(address) === beat) this.#beats.delete(address);
  }

  async #ask(address: GatewayAddress, beat: Beat): Promise<void> {
    const answers = (await this.#gateway.health(address)) !== undefined;
    beat.silences = answers ? 0 : beat.silences + 1;
    if (beat.silences < maxSilences || beat.runs === 0) return;
    this.#end(address, beat);
    beat.lost.abort();
  }
}
