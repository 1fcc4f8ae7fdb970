import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { patienceMs } from "../support/limits.ts";

/**
 * A port that actions connect to: that they are connected says that they run, and the end of a connection, which the
 * kernel sees to, that their process is gone.
 */
export class CallersPort implements AsyncDisposable {
  readonly number: number;
  readonly #server: Server;
  readonly #sockets: Socket[] = [];
  readonly #taken: Socket[] = [];

  private constructor(server: Server, number: number) {
    this.#server = server;
    this.number = number;
    server.on("connection", (socket) => {
      socket.on("error", () => {}); // a killed process resets its connection
      this.#sockets.push(socket);
    });
  }

  static async open(): Promise<CallersPort> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("The port has no number.");
    return new CallersPort(server, address.port);
  }

  /** How many connections nobody has asked for. */
  get waiting(): number {
    return this.#sockets.length;
  }

  /** The next connection. Rejects when none comes. */
  async connection(): Promise<Connection> {
    const signal = AbortSignal.timeout(patienceMs);
    while (this.#sockets.length === 0) await once(this.#server, "connection", { signal });
    const [socket] = this.#sockets.splice(0, 1);
    if (!socket) throw new Error("Two wait for one connection.");
    this.#taken.push(socket);
    return new Connection(socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of [...this.#sockets, ...this.#taken]) socket.destroy();
    this.#server.close();
  }
}

export class Connection {
  readonly #socket: Socket;
  /** All that came, once the other side is gone. */
  readonly closed: Promise<string>;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.closed = text(socket).catch(() => "");
  }

  send(line: string): void {
    this.#socket.write(`${line}\n`);
  }
}
