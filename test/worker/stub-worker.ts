/** A worker that speaks the protocol and does what the name of the action says; it starts at once and loads nothing. */
import { createReadStream, writeSync } from "node:fs";
import { createInterface } from "node:readline";
import type { WorkerInput } from "../../src/worker/messages.ts";

const requests: Extract<WorkerInput, { id: number }>[] = [];
let binding = "";

const input = createInterface({ input: createReadStream("", { fd: 3 }) });
input.on("line", (line) => {
  const message: WorkerInput = JSON.parse(line);
  if (message.type === "bind") binding = message.binding.code;
  else if (message.type === "cancel") cancelled(message.id);
  else if (requests.push(message) === 1) next();
});
input.on("close", () => process.exit(0));
send({ type: "ready", protocol: 1, pid: process.pid, runtime: "stub" });

function next(): void {
  const [request] = requests;
  if (request?.type !== "run") return;
  const { id, action, params } = request;
  if (action === "echo") answer(id, params);
  if (action === "binding") answer(id, binding);
  if (action === "pid") answer(id, process.pid);
  if (action === "fail")
    reply({ id, ok: false, error: { reason: "ACTION_FAILED", message: "no", stack: "at plugin" } });
  if (action === "garbage") writeSync(3, "this is not JSON\n");
  if (action === "noError") send({ id, ok: false });
  if (action === "noValue") send({ id, ok: true });
  if (action === "oddError") reply({ id, ok: false, error: { reason: 1, message: "x".repeat(20_000), stack: {} } });
  if (action === "outOfTurn") send({ id: id + 1, ok: true, value: null });
  if (action === "exit") {
    writeSync(2, "last words\n");
    process.exit(3);
  }
  // `wait` and `deaf` do not answer by themselves.
}

function cancelled(id: number): void {
  const [request] = requests;
  if (request?.id === id && request.type === "run" && request.action === "interrupted") {
    send({ id, ok: false, error: { reason: "CANCELLED", message: "interrupted" }, spent: true });
    process.exit(0);
  }
  if (request?.id !== id || request.type !== "run" || request.action !== "wait") return;
  reply({ id, ok: false, error: { reason: "CANCELLED", message: "cancelled" } });
}

function answer(id: number, value: unknown): void {
  reply({ id, ok: true, value });
}

function reply(message: object): void {
  send(message);
  requests.shift();
  next();
}

function send(message: object): void {
  writeSync(3, `${JSON.stringify(message)}\n`);
}
