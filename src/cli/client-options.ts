import { readFileSync } from "node:fs";
import { RunnerError } from "../grpc/client-errors.ts";
import { connect, type NodeClient } from "../grpc/connect.ts";
import type { Option, OptionValues } from "./options.ts";
import { UsageError } from "./usage-error.ts";
import type { Io } from "./verb.ts";

const defaultAddress = "127.0.0.1:50151";

/** How a service wants to be called. */
export const accessOptions = [
  {
    name: "token-file",
    type: "string",
    value: "FILE",
    description: "A file that holds the bearer token. Without it the token is PLUGIN_RUNNER_TOKEN, if that is set.",
  },
  { name: "tls", type: "boolean", description: "Use TLS. The next three options imply it." },
  { name: "tls-ca", type: "string", value: "FILE", description: "Certificate authorities to trust, as PEM." },
  { name: "tls-cert", type: "string", value: "FILE", description: "This client's certificate, as PEM." },
  { name: "tls-key", type: "string", value: "FILE", description: "This client's private key, as PEM." },
] as const satisfies readonly Option[];

/** The options of every verb that calls the service. */
export const clientOptions = [
  {
    name: "address",
    type: "string",
    default: defaultAddress,
    env: "PLUGIN_RUNNER_ADDRESS",
    value: "HOST:PORT",
    description: "Where the service is.",
  },
  ...accessOptions,
  { name: "json", type: "boolean", description: "Print JSON to standard output, a line each for streams." },
] as const satisfies readonly Option[];

export type ClientOptions = OptionValues<typeof clientOptions>;

/** The client that the options describe. The caller closes it. Throws UsageError for options that cannot be used. */
export function openClient(options: ClientOptions, io: Io): NodeClient {
  try {
    return connected(options, io);
  } catch (error) {
    if (!(error instanceof RunnerError)) throw error;
    const [{ field, description } = { field: "", description: error.message }] = error.violations;
    throw new UsageError(`${flagOf(field, options)} ${description}.`, { cause: error });
  }
}

/** The options that lead another command to the same server, as its arguments. */
export function connectionArguments(options: ClientOptions): string {
  const files = (["tokenFile", "tlsCa", "tlsCert", "tlsKey"] as const).flatMap((name) => {
    const file = options[name];
    return file === undefined ? [] : [`--${name.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`)}`, file];
  });
  const isDefault = options.address === defaultAddress;
  const words = [...(isDefault ? [] : ["--address", options.address]), ...(options.tls ? ["--tls"] : []), ...files];
  return words
    .map((word) => ` ${/^[\w./:@%+=,[\]-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`}`)
    .join("");
}

/** The flag behind a field of `connect`. */
function flagOf(field: string, { tokenFile }: ClientOptions): string {
  if (field === "/token") return tokenFile === undefined ? "PLUGIN_RUNNER_TOKEN" : "--token-file";
  return field.replace("/", "--").replaceAll("/", "-");
}

function connected(options: ClientOptions, io: Io): NodeClient {
  const { tls, tlsCa, tlsCert, tlsKey, tokenFile } = options;
  return connect({
    address: options.address,
    token: tokenFile === undefined ? (io.env.PLUGIN_RUNNER_TOKEN ?? "") : read("--token-file", tokenFile).trim(),
    tls: (tls || tlsCa !== undefined || tlsCert !== undefined || tlsKey !== undefined) && {
      ...(tlsCa !== undefined && { ca: read("--tls-ca", tlsCa) }),
      ...(tlsCert !== undefined && { cert: read("--tls-cert", tlsCert) }),
      ...(tlsKey !== undefined && { key: read("--tls-key", tlsKey) }),
    },
  });
}

/** The text of a file that a flag names. */
export function read(flag: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new UsageError(`${flag}: cannot read ${path}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}
