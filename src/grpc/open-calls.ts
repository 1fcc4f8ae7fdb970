import { endedWithServer, type PluginRunnerError, shuttingDown } from "../errors.ts";

/** A call that has not been answered. */
export interface OpenCall {
  /** `/package.Service/Method`. */
  readonly path: string;
  /** Answers it with an error, whatever its handler would have said; nothing that comes later is sent. */
  end(error: PluginRunnerError): void;
}

/** The calls of a server, whatever their protocol, that wait for their answer: none may be cut without one. */
export class OpenCalls {
  readonly #calls = new Set<OpenCall>();
  #idle: PromiseWithResolvers<void> | undefined;

  add(call: OpenCall): void {
    this.#calls.add(call);
  }

  /** To be called when a call is answered or its caller is gone; more than once is no harm. */
  delete(call: OpenCall): void {
    if (this.#calls.delete(call) && this.#calls.size === 0) this.#idle?.resolve();
  }

  /** Resolves once every call was answered. */
  async idle(): Promise<void> {
    if (this.#calls.size === 0) return;
    this.#idle = Promise.withResolvers();
    await this.#idle.promise;
  }

  /** Answers the calls that nothing else has answered. Of a run that is still there, nobody knows how far it came. */
  end(which: (path: string) => boolean = () => true): void {
    for (const call of this.#calls) {
      if (which(call.path)) call.end(call.path.endsWith("/RunPlugin") ? endedWithServer() : shuttingDown());
    }
  }
}
