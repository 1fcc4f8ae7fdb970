import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** A TCP proxy that stands between a client and a server, and cuts connections as networks do. */
export class TcpProxy implements AsyncDisposable {
  readonly address: string;
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #taken = 0;
  #lateMs = 0;

  private constructor(address: string, server: Server, target: string) {
    this.address = address;
    this.#server = server;
    server.on("connection", (socket) => this.#take(socket, target));
  }

  /** How many connections it has taken. */
  get connections(): number {
    return this.#taken;
  }

  /** Listens on a free port and passes all on to `target`, `host:port`. */
  static async listen(target: string): Promise<TcpProxy> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("The proxy has no port.");
    return new TcpProxy(`127.0.0.1:${address.port}`, server, target);
  }

  /**
   * Passes nothing on any more over the connections there are, and leaves them open; new ones are taken, and say nothing
   * for their first `lateMs` either, until one has lasted so long.
   */
  silence(lateMs = 0): void {
    this.#lateMs = lateMs;
    for (const [inner, outer] of this.#pairs) {
      inner.unpipe(outer).resume();
      outer.unpipe(inner).resume();
    }
  }

  /** Cuts every connection there is; new ones are taken. */
  cut(): void {
    for (const [inner, outer] of this.#pairs) {
      inner.destroy();
      outer.destroy();
    }
  }

  #take(inner: Socket, target: string): void {
    this.#taken++;
    const [host = "", port = ""] = target.split(":");
    const outer = connect(Number(port), host);
    const pair = [inner, outer] as const;
    this.#pairs.add(pair);
    const pass = () => {
      this.#lateMs = 0;
      inner.pipe(outer);
      outer.pipe(inner);
    };
    const late = this.#lateMs > 0 ? setTimeout(pass, this.#lateMs) : undefined;
    const end = () => {
      clearTimeout(late);
      this.#pairs.delete(pair);
      inner.destroy();
      outer.destroy();
    };
    for (const socket of pair) socket.on("error", end).on("close", end);
    if (late === undefined) pass();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }
}
