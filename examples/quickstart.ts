/**
 * Starts the service with the plugins of this folder, and runs them in every mode as a client does: `npm run quickstart`.
 * In a project of your own the client comes from "plugin-runner" instead of "../src/client.ts".
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { type Client, connect, type JobEvent, JobState, RunnerError } from "../src/client.ts";

const project = join(import.meta.dirname, "..");

try {
  await quickstart();
} catch (error) {
  console.error(`\nThat failed: ${error instanceof RunnerError ? `${error.message}\n${error.pluginStack}` : error}`);
  process.exitCode = 1;
}

async function quickstart(): Promise<void> {
  await using server = await startServer();
  await using client = connect({ address: server.address });
  console.log(`The service listens on ${server.address}. Its plugins:`);
  for await (const { code, actions, description } of client.listPlugins()) {
    console.log(`  ${code} (${actions.map(({ name }) => name).join(", ")}): ${description}`);
  }
  console.log("\nThe first run installs what the plugins need, which can take a minute. Later runs find it there.");

  await describeTable(client);
  const model = await trainModel(client);
  await readDigits(client, model);
  await exportTable(client);
  console.log("\nAll of it worked. The service ends now.");
}

async function describeTable(client: Client): Promise<void> {
  const params = { dataset: "penguins" };
  announce("local", "a result at once, from TypeScript in the service itself", "tables profile", params);
  const { columns } = object(await client.runPlugin("tables", "profile", params, { mode: "local" }));
  console.table(columns, ["name", "type", "missing", "distinct", "min", "median", "max"]);
}

async function trainModel(client: Client): Promise<JsonObject> {
  const params = { model: "mlp", epochs: 20 };
  announce("job", "a process of its own, whose progress streams in", "digits train", params);
  return object(await followJob(client, "digits", "train", params));
}

async function readDigits(client: Client, { model, test_indices }: JsonObject): Promise<void> {
  if (model === undefined || !Array.isArray(test_indices)) throw new Error("The training names no model.");
  const params = { model, indices: test_indices.slice(0, 10) };
  announce("task", "a warm Python worker reads ten digits that the training has not seen", "digits infer", params);
  const { predictions } = object(await client.runPlugin("digits", "infer", params, { mode: "task" }));
  console.table(predictions, ["index", "label", "digit", "probability"]);
}

async function exportTable(client: Client): Promise<void> {
  const params = { dataset: "olympians", by: "sport", measure: "height" };
  announce("job", "a file as its artifact", "tables export", params);
  const { file } = object(await followJob(client, "tables", "export", params));
  const csv = await readFile(fileURLToPath(String(file)), "utf8");
  console.log(csv.split("\n").slice(0, 6).join("\n"));
}

/** Submits a job, prints what happens, and returns its result. */
async function followJob(client: Client, plugin: string, action: string, params: JsonObject): Promise<JsonValue> {
  const job = await client.submitJob(plugin, action, params);
  console.log(`  job ${job.id}`);
  for await (const event of job.events()) {
    const line = describe(event);
    if (line) console.log(`  ${line}`);
  }
  return job.result();
}

function describe({ payload }: JobEvent): string {
  switch (payload.case) {
    case "stateChanged":
      return payload.value.detail || (payload.value.state === JobState.RUNNING ? "running" : "waiting");
    case "progress":
      return progressBar(payload.value.current / payload.value.total, payload.value.message);
    case "log":
      return payload.value.message;
    case "artifact":
      return `wrote ${payload.value.uri} (${payload.value.sizeBytes} bytes)`;
    case "error":
      return `${payload.value.reason}: ${payload.value.message}`;
    default:
      return "";
  }
}

function progressBar(done: number, message: string): string {
  return `${"█".repeat(Math.round(done * 20)).padEnd(20, "·")} ${`${Math.round(done * 100)} %`.padStart(5)}  ${message}`;
}

function announce(mode: string, what: string, call: string, params: JsonObject): void {
  console.log(`\n${mode.toUpperCase()}: ${what}\n  ${call} ${JSON.stringify(params)}`);
}

function object(value: JsonValue): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new Error(`An object was expected, not ${JSON.stringify(value)}.`);
}

async function startServer(): Promise<AsyncDisposable & { address: string }> {
  const args = ["src/cli/main.ts", "serve", "--root", "examples/plugins", "--listen", "127.0.0.1:0", "--json"];
  const child = spawn(process.execPath, args, { cwd: project, stdio: ["ignore", "pipe", "inherit"] });
  const end = async () => {
    child.kill();
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  };
  for await (const line of createInterface({ input: child.stdout })) {
    const { address } = object(JSON.parse(line));
    if (typeof address === "string") return { address, [Symbol.asyncDispose]: end };
  }
  throw new Error("The service ended before it said where it listens.");
}
