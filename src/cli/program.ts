/** The command line as a program: its signals, its pipes and its exit code. */
import { dispatch } from "./dispatch.ts";

// What libraries do not approve of, such as TLS to an address without a name, is of no use to whoever types a command. A
// service shows it: code of plugins runs there.
process.noDeprecation = process.argv[2] !== "serve";

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

// The reader of a pipe may leave early, as `head` does; nobody is left to print for.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

const { env, stdin, stdout, stderr } = process;
const signals = { signal: interrupt.signal, urgent: urgent.signal };
process.exitCode = await dispatch(process.argv.slice(2), { env, stdin, stdout, stderr, ...signals });
// What a plugin left running in this process does not keep it.
setTimeout(() => process.exit(), 1000).unref();
