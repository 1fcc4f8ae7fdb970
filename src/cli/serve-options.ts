import { availableParallelism } from "node:os";
import { logLevels } from "../util/log.ts";
import type { Option, OptionValues } from "./options.ts";
import { rayOptions } from "./ray-options.ts";

const cpus = availableParallelism();

/** What `serve` can be told, by flags, `PLUGIN_RUNNER_…` variables, or the file that `--config` names. */
export const serveOptions = [
  {
    name: "listen",
    type: "string",
    default: "127.0.0.1:50151",
    value: "HOST:PORT",
    description: "Where to listen; port 0 takes a free one. Beyond loopback it needs TLS, a token, or --insecure.",
  },
  {
    name: "http-listen",
    type: "string",
    value: "HOST:PORT",
    description: "Where to answer browsers as well, by Connect and gRPC-Web. Default: nowhere.",
  },
  {
    name: "http-allow-origin",
    type: "list",
    default: [],
    value: "ORIGIN",
    description: "An origin such as https://app.example.com whose pages may call --http-listen, beside its own.",
  },
  { name: "root", type: "list", default: ["."], value: "DIR", description: "A folder that plugins stand in." },
  {
    name: "allow-module",
    type: "list",
    default: [],
    value: "MODULE",
    description: "A Python module that may be run although it stands outside the roots; with its submodules.",
  },
  {
    name: "data-dir",
    type: "string",
    default: ".plugin-runner",
    value: "DIR",
    description: "Where jobs, their files and the plugins' environments are kept. One server at a time.",
  },
  {
    name: "disk-reserve",
    type: "bytes",
    description:
      "How much of --data-dir's disk stays free for jobs that run: with less, new ones are refused. Default: 256MiB, or 5 % of a small disk; 0 for none.",
  },
  ...rayOptions,
  {
    name: "local",
    type: "string",
    choices: ["in-process", "worker", "off"],
    description:
      "Where local mode runs JavaScript: in this process, which an endless loop or memory without end can take down, or in a worker. Default: in-process on loopback, worker beyond.",
  },
  { name: "python", type: "string", default: "python3", value: "COMMAND", description: "Python 3.9 or newer." },
  {
    name: "pass-env",
    type: "list",
    default: [],
    value: "NAME",
    description: "A variable of the server's environment that plugins may see, beside PATH, HOME, LANG and the like.",
  },
  {
    name: "build-timeout",
    type: "duration",
    min: "1s",
    max: "1d",
    default: "30m",
    description: "How long the packages that a plugin requires may take to be installed.",
  },
  {
    name: "environment-quota",
    type: "bytes",
    default: "10GiB",
    description: "How much the installed packages may take; those go that were not used for longest.",
  },
  {
    name: "max-workers",
    type: "integer",
    min: 1,
    default: Math.max(2, cpus),
    description: "How many task workers may run at a time.",
  },
  {
    name: "worker-idle",
    type: "duration",
    min: "10ms",
    max: "20d",
    default: "5m",
    description: "How long a worker without work is kept.",
  },
  {
    name: "worker-memory",
    type: "bytes",
    description: "The most memory of a worker, where prlimit of util-linux is there. Default: no limit.",
  },
  {
    name: "max-queued-runs",
    type: "integer",
    min: 1,
    default: 256,
    description: "How many runs may wait for a worker; further ones are refused.",
  },
  {
    name: "request-memory",
    type: "duration",
    min: "1s",
    max: "1d",
    default: "10m",
    description: "How long a request_id is remembered at least, after its run has ended.",
  },
  {
    name: "max-running-jobs",
    type: "integer",
    min: 1,
    default: Math.max(4, 2 * cpus),
    description: "How many jobs may run at a time; further ones wait.",
  },
  {
    name: "max-queued-jobs",
    type: "integer",
    min: 1,
    default: 1000,
    description: "How many jobs may wait; further ones are refused.",
  },
  {
    name: "max-calls",
    type: "integer",
    min: 1,
    default: 10_000,
    description: "How many unary calls, and how many streams, may be under way at a time.",
  },
  {
    name: "max-events-per-job",
    type: "integer",
    min: 100,
    default: 100_000,
    description: "How many events of a job are kept; what it prints and reports beyond that is left out.",
  },
  {
    name: "job-output-limit",
    type: "bytes",
    default: "10MiB",
    description: "How much a job may print and log, and as much again report; more is counted and left out.",
  },
  { name: "job-retention", type: "duration", default: "7d", description: "How long a job is kept after its end." },
  {
    name: "run-artifacts",
    type: "duration",
    default: "1d",
    description: "How long the artifacts of local and task runs are kept; 0s: not longer than the run.",
  },
  { name: "max-request-size", type: "bytes", default: "4MiB", description: "The largest request." },
  {
    name: "max-result-size",
    type: "bytes",
    default: "3MiB",
    description: "The largest result, encoded. Clients by default take messages of 4 MiB.",
  },
  {
    name: "grace",
    type: "duration",
    max: "1h",
    default: "3s",
    description: "How long an action has to end in its own way when it is told to stop.",
  },
  {
    name: "heartbeat",
    type: "duration",
    min: "10ms",
    max: "1h",
    default: "10s",
    description: "How often a stream says that it is alive.",
  },
  {
    name: "leave-delay",
    type: "duration",
    max: "1h",
    default: "0s",
    description: "On SIGTERM: how long to go on taking calls while health says NOT_SERVING, for load balancers to see.",
  },
  {
    name: "drain",
    type: "duration",
    max: "1d",
    default: "30s",
    description: "On SIGTERM: how long calls under way may take.",
  },
  {
    name: "token-file",
    type: "string",
    value: "FILE",
    description: "A file with the token that callers have to send as `authorization: Bearer …`.",
  },
  { name: "tls-cert", type: "string", value: "FILE", description: "The server's certificate chain, PEM." },
  { name: "tls-key", type: "string", value: "FILE", description: "The key of --tls-cert, PEM." },
  {
    name: "tls-client-ca",
    type: "string",
    value: "FILE",
    description: "Certificate authorities of clients, PEM: only clients with a certificate of theirs get in.",
  },
  {
    name: "insecure",
    type: "boolean",
    default: false,
    description: "Listen beyond loopback although anybody who reaches the port can run code.",
  },
  { name: "log-level", type: "string", choices: logLevels, default: "info", description: "The least level to log." },
  {
    name: "log-format",
    type: "string",
    choices: ["text", "json"],
    default: "text",
    description: "How log lines look.",
  },
  {
    name: "json",
    type: "boolean",
    default: false,
    description: "Print one line of JSON with the address once the server listens.",
  },
] as const satisfies readonly Option[];

export type ServeOptions = OptionValues<typeof serveOptions>;
