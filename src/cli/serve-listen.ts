import { ServerCredentials } from "@grpc/grpc-js";
import type { Admission } from "../grpc/admission.ts";
import { Calls } from "../grpc/call.ts";
import type { Health } from "../grpc/health.ts";
import { grpcImplementation } from "../grpc/implementation.ts";
import type { OpenCalls } from "../grpc/open-calls.ts";
import { GrpcServer } from "../grpc/server.ts";
import type { Handlers } from "../grpc/service.ts";
import type { HttpServer, ServerTls } from "../http/server.ts";
import type { Log } from "../util/log.ts";
import { messageOf } from "../util/message-of.ts";
import type { Exposure } from "./serve-exposure.ts";
import type { ServeOptions } from "./serve-options.ts";
import { UsageError } from "./usage-error.ts";

/** What the ports answer with. */
export interface Served extends Exposure {
  handlers: Handlers;
  admission: Admission;
  openCalls: OpenCalls;
  health: Health;
  log: Log;
}

/** Opens the port of gRPC, and the one for browsers where there is to be one. */
export async function listen(options: ServeOptions, served: Served): Promise<{ grpc: GrpcServer; http?: HttpServer }> {
  const { handlers, admission, openCalls, health, tls } = served;
  const grpc = await had("listen", options.listen, (address) =>
    GrpcServer.listen({
      address,
      credentials: serverCredentials(tls),
      implementation: grpcImplementation(handlers, new Calls(admission)),
      health,
      openCalls,
      maxRequestBytes: options.maxRequestSize,
      maxConcurrentStreams: options.maxCalls,
    }),
  );
  if (options.httpListen === undefined) return { grpc };
  try {
    return {
      grpc,
      http: await had("http-listen", options.httpListen, (address) => listenForBrowsers(options, address, served)),
    };
  } catch (error) {
    await grpc.close(AbortSignal.abort());
    throw error;
  }
}

async function had<Server>(name: string, address: string, open: (address: string) => Promise<Server>): Promise<Server> {
  try {
    return await open(address);
  } catch (error) {
    throw new UsageError(`--${name} ${address} cannot be had: ${messageOf(error)}`);
  }
}

/** What browsers need is loaded only where it is used: it would make every start slower. */
async function listenForBrowsers(
  options: ServeOptions,
  address: string,
  { handlers, admission, openCalls, tls, token, log }: Served,
): Promise<HttpServer> {
  const { HttpServer } = await import("../http/server.ts");
  return HttpServer.listen({
    address,
    tls,
    handlers,
    admission,
    openCalls,
    allowedOrigins: options.httpAllowOrigin,
    wantsToken: token !== undefined,
    maxRequestBytes: options.maxRequestSize,
    log,
  });
}

function serverCredentials(tls: ServerTls | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const pair = { cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) };
  const ca = tls.ca === undefined ? null : Buffer.from(tls.ca);
  return ServerCredentials.createSsl(ca, [pair], ca !== null);
}
