import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse, type Http2Session } from "node:http2";
import type { Socket } from "node:net";
import { errorToJson } from "@connectrpc/connect/protocol-connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import type { Admission } from "../grpc/admission.ts";
import type { OpenCalls } from "../grpc/open-calls.ts";
import { requestTooLarge } from "../grpc/request-size.ts";
import type { Handlers } from "../grpc/service.ts";
import type { Log } from "../util/log.ts";
import { rarely } from "../util/rarely.ts";
import { ConnectCalls, connectError } from "./connect-calls.ts";
import { type GuardOptions, originGuard } from "./guard.ts";
import { connectRoutes } from "./routes.ts";

/** PEM texts; with `ca` only clients with a certificate of theirs get in. */
export interface ServerTls {
  cert: string;
  key: string;
  ca: string | undefined;
}

export interface HttpServerOptions extends GuardOptions {
  /** Host and port; port 0 takes a free one. */
  address: string;
  /** Undefined: plain text, and HTTP/1.1 alone. */
  tls: ServerTls | undefined;
  handlers: Handlers;
  admission: Admission;
  openCalls: OpenCalls;
  maxRequestBytes: number;
  log: Log;
}

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

/** The port for browsers: the RPCs of `PluginRunner` by Connect and gRPC-Web, over HTTP/1.1 and, with TLS, HTTP/2. */
export class HttpServer {
  readonly address: string;
  readonly #server: ReturnType<typeof createHttpServer>;
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<Http2Session>();
  #closing = false;

  private constructor(address: string, server: ReturnType<typeof createHttpServer>) {
    this.address = address;
    this.#server = server;
    server.on("connection", (socket: Socket) => keep(this.#sockets, socket));
    server.on("session", (session: Http2Session) => keep(this.#sessions, session));
    server.on("request", ({ socket, httpVersionMajor }: Request, response: Response) => {
      // A connection of HTTP/1.1 stays for further requests, and would be waited for.
      if (httpVersionMajor === 1) response.once("close", () => this.#closing && socket.end());
    });
  }

  /** Listens; rejects when the address cannot be had. */
  static async listen(options: HttpServerOptions): Promise<HttpServer> {
    const server = createHttpServer(options.tls, listener(options));
    const { hostname, port } = new URL(`http://${options.address}`);
    server.listen(Number(port || 80), hostname.replace(/^\[(.*)\]$/, "$1"));
    await once(server, "listening");
    const bound = server.address();
    if (bound === null || typeof bound === "string") throw new Error(`${options.address} has no port.`);
    return new HttpServer(options.address.replace(/:\d+$/, `:${bound.port}`), server);
  }

  /** Takes no new calls and waits until those under way were answered, or the signal aborts: it cuts what is left then. */
  async close(signal: AbortSignal): Promise<void> {
    const force = () => {
      for (const socket of this.#sockets) socket.destroy();
    };
    const closed = once(this.#server, "close");
    this.#closing = true;
    this.#server.close();
    for (const session of this.#sessions) session.close();
    signal.addEventListener("abort", force, { once: true });
    if (signal.aborted) force();
    await closed;
    signal.removeEventListener("abort", force);
  }
}

/** Keeps what lives until its `close`. */
function keep<T extends Socket | Http2Session>(all: Set<T>, one: T): void {
  all.add(one);
  one.once("close", () => all.delete(one));
}

function listener(options: HttpServerOptions): (request: Request, response: Response) => void {
  const { handlers, admission, openCalls, maxRequestBytes } = options;
  const logRarely = rarely(options.log);
  const guard = originGuard(options);
  const answer = connectNodeAdapter({
    routes: connectRoutes(handlers, new ConnectCalls(admission, openCalls)),
    // gRPC has a port of its own.
    grpc: false,
    readMaxBytes: maxRequestBytes,
  });
  return (request, response) => {
    const { method, headers } = request;
    const host = "authority" in request ? request.authority : headers.host;
    const site = headers["sec-fetch-site"]?.toString();
    const verdict = guard({ method, host, origin: headers.origin, site });
    if (verdict.status === 403) {
      const peer = request.socket.remoteAddress;
      const fields = { origin: headers.origin, host, peer, because: verdict.body?.trimEnd() };
      logRarely(`${headers.origin} ${host}`, "warn", "refused a page's request", fields);
    }
    for (const [name, value] of Object.entries(verdict.headers)) response.setHeader(name, value);
    // Connect makes a URL of the two, and throws where there can be none.
    const status = verdict.status ?? (URL.canParse(request.url ?? "", `http://${host ?? ""}`) ? undefined : 400);
    if (status === undefined && isTooLarge(headers, maxRequestBytes))
      return refuseSize(response, headers, maxRequestBytes);
    if (status === undefined) return answer(request, response);
    response.statusCode = status;
    response.end(verdict.body ?? "");
  };
}

/** Whether a unary call of Connect announces more than may come: Connect would answer that the service is busy. */
function isTooLarge(headers: Request["headers"], maxRequestBytes: number): boolean {
  return /^application\/(json|proto)\b/.test(headers["content-type"] ?? "") && sizeOf(headers) > maxRequestBytes;
}

function refuseSize(response: Response, headers: Request["headers"], maxRequestBytes: number): void {
  const error = connectError(requestTooLarge(maxRequestBytes, String(sizeOf(headers))));
  response.statusCode = 400;
  response.setHeader("content-type", "application/json");
  // What is still to come of the body is not read.
  if (response.req.httpVersionMajor === 1) response.setHeader("connection", "close");
  response.end(new TextEncoder().encode(JSON.stringify(errorToJson(error, undefined))));
}

function sizeOf(headers: Request["headers"]): number {
  return Number(headers["content-length"] ?? 0);
}

function createHttpServer(tls: ServerTls | undefined, listen: (request: Request, response: Response) => void) {
  if (tls === undefined) return createServer(listen);
  const { cert, key, ca } = tls;
  const mutual = ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true };
  return createSecureServer({ cert, key, allowHTTP1: true, ...mutual }, listen);
}
