/**
 * A process of watchers: `node fan-out-watchers.ts ADDRESS JOB COUNT`. Decodes no more of an event than its sequence and
 * its time, so that what is measured is the service.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { Client, credentials } from "@grpc/grpc-js";
import { WatchJobRequestSchema } from "../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import type { Watched } from "./fan-out.ts";

const watchersPerChannel = 50;
const terminalPayloads = [8, 9];

const [address = "", jobId = "", count = "0"] = process.argv.slice(2);
const delays: number[] = [];
const clients = Array.from({ length: Math.ceil(Number(count) / watchersPerChannel) }, newClient);
const watches = Array.from({ length: Number(count) }, (_, i) => watch(clients[i % clients.length]));
await Promise.all(watches.map(({ ready }) => ready));
process.send?.("ready");
const ends = await Promise.all(watches.map(({ complete }) => complete));
for (const client of clients) client.close();
const watched: Watched = {
  complete: ends.filter((complete) => complete).length,
  delays: Array.from(delays, (n) => n ?? 0),
};
process.send?.(watched);
process.disconnect?.();

function newClient(): Client {
  return new Client(address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
}

/** `ready` resolves with the first message, `complete` with whether every event came once, in order, and the last last. */
function watch(client: Client | undefined): { ready: Promise<void>; complete: Promise<boolean> } {
  if (client === undefined) throw new Error("There is no client.");
  const ready = Promise.withResolvers<void>();
  const complete = Promise.withResolvers<boolean>();
  const encode = () => Buffer.from(toBinary(WatchJobRequestSchema, create(WatchJobRequestSchema, { jobId })));
  const stream = client.makeServerStreamRequest("/pluginrunner.v1.PluginRunner/WatchJob", encode, (bytes) => bytes, {});
  let last = 0;
  let inOrder = true;
  let ended = false;
  stream.on("data", (bytes: Buffer) => {
    ready.resolve();
    const now = performance.timeOrigin + performance.now();
    for (const event of readEvents(bytes)) {
      inOrder &&= event.sequence === last + 1 && !ended;
      last = event.sequence;
      ended = event.terminal;
      const delay = Math.max(0, Math.floor(now - event.timeMs));
      delays[delay] = (delays[delay] ?? 0) + 1;
    }
  });
  stream.on("error", complete.reject);
  stream.on("end", () => complete.resolve(inOrder && ended));
  return { ready: ready.promise, complete: complete.promise };
}

/** Reads `WatchJobResponse.events.events`. */
function* readEvents(response: Uint8Array) {
  for (const events of fields(response, 2)) {
    for (const event of fields(events, 1)) yield readEvent(new BinaryReader(event));
  }
}

function* fields(message: Uint8Array, wanted: number): Generator<Uint8Array> {
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === wanted) yield reader.bytes();
    else reader.skip(type, field);
  }
}

function readEvent(reader: BinaryReader) {
  const event = { sequence: 0, timeMs: 0, terminal: false };
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    event.terminal ||= terminalPayloads.includes(field);
    if (field === 1) event.sequence = Number(reader.int64());
    else if (field === 2) event.timeMs = readTime(new BinaryReader(reader.bytes()));
    else reader.skip(type, field);
  }
  return event;
}

function readTime(reader: BinaryReader): number {
  let time = 0;
  while (reader.pos < reader.len) {
    const [field] = reader.tag();
    time += field === 1 ? Number(reader.int64()) * 1000 : reader.int32() / 1e6;
  }
  return time;
}
