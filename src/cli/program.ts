/** The command line as a program: its signals, its pipes and its exit code. */
import { dispatch } from "./dispatch.ts";

const isService = process.argv[2] === "serve";

// What libraries do not approve of, such as TLS to an address without a name, is of no use to whoever types a command. A
// service shows it: code of plugins runs there.
process.noDeprecation = !isService;

const interrupt = new AbortController();
const urgent = new AbortController();
/** Enough for words that are on the way, and nothing that anybody would wait for. */
const urgentMs = 50;
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => {
    // Whoever asks twice does not want to wait for an orderly end.
    if (interrupt.signal.aborted) setTimeout(() => process.exit(130), urgentMs);
    if (interrupt.signal.aborted) urgent.abort();
    interrupt.abort(new Error(`Interrupted by ${name}.`));
  });
}

// The reader of a pipe may leave early, as `head` does. A command has nobody left to print for; a service is there for others,
// and goes on without its words, as it does where their disk is full.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (isService) return;
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});
process.stderr.on("error", () => {}); // what is said there nobody waits for

const { env, stdin, stdout, stderr } = process;
const signals = { signal: interrupt.signal, urgent: urgent.signal };
process.exitCode = await dispatch(process.argv.slice(2), { env, stdin, stdout, stderr, ...signals });
// What a plugin left running in this process does not keep it.
setTimeout(() => process.exit(), 1000).unref();
