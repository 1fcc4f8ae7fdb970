import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";

/** A request as it came. */
export interface Seen {
  method: string;
  /** With the query. */
  path: string;
  authorization: string | undefined;
  body: string;
}

/**
 * What is done with a request: an answer; `hang` nothing; `drip` a byte every 20 ms without end; `reset` the connection is
 * cut. With a dashboard behind: `forward` passes it on; `lose` passes it on and cuts the connection instead of an answer;
 * `cut` passes it on and cuts the connection after the first bytes of the answer.
 */
export type Reaction =
  | "hang"
  | "drip"
  | "reset"
  | "forward"
  | "lose"
  | "cut"
  | { status?: number; headers?: Record<string, string>; body?: string };

/** Stands where a dashboard is expected, and does what a test says: alone, or in front of a real one. */
export class FakeDashboard implements AsyncDisposable {
  readonly address: string;
  /** All requests so far. */
  readonly seen: Seen[] = [];
  readonly #server: Server;

  private constructor(server: Server, address: string) {
    this.#server = server;
    this.address = address;
  }

  /** @param behind the address of a real dashboard */
  static async start(react: (seen: Seen, nth: number) => Reaction, behind?: string): Promise<FakeDashboard> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const bound = server.address();
    const port = typeof bound === "object" && bound ? bound.port : 0;
    const fake = new FakeDashboard(server, `http://127.0.0.1:${port}`);
    server.on("request", (incoming, response) => {
      fake.#take(incoming, response, react, behind).catch((error: unknown) => response.destroy(asError(error)));
    });
    return fake;
  }

  /** How many requests there were of this method and path. */
  count(method: string, path: RegExp): number {
    return this.seen.filter((one) => one.method === method && path.test(one.path)).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #take(
    incoming: IncomingMessage,
    response: ServerResponse,
    react: (seen: Seen, nth: number) => Reaction,
    behind: string | undefined,
  ): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const { method = "", url = "", headers } = incoming;
    const seen = { method, path: url, authorization: headers.authorization, body: body.toString() };
    const nth = this.seen.push(seen);
    const reaction = react(seen, nth);
    if (typeof reaction === "object") {
      response.writeHead(reaction.status ?? 200, reaction.headers);
      response.end(reaction.body);
    } else if (reaction === "reset") incoming.socket.destroy();
    else if (reaction === "drip") drip(response);
    else if (reaction !== "hang") await forward(reaction, incoming, body, response, behind ?? "");
  }
}

function drip(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "application/json" });
  const timer = setInterval(() => response.write(" "), 20);
  response.on("close", () => clearInterval(timer));
}

async function forward(
  how: "forward" | "lose" | "cut",
  { method, url = "", headers }: IncomingMessage,
  body: Buffer,
  response: ServerResponse,
  behind: string,
): Promise<void> {
  const outgoing = request(new URL(url, behind), { method, headers, agent: false });
  response.on("close", () => outgoing.destroy());
  outgoing.on("error", () => response.destroy());
  outgoing.end(body);
  const [answer] = await once(outgoing, "response");
  if (how === "lose") return void response.destroy();
  response.writeHead(answer.statusCode, answer.headers);
  for await (const chunk of answer) {
    response.write(how === "cut" ? chunk.subarray(0, 40) : chunk);
    if (how === "cut") return void setTimeout(() => response.destroy(), 20);
  }
  response.end();
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
