import type { Io } from "./verb.ts";

const patienceMs = 1000;

/** Says why it may take long, when a call of a plugin has no answer after a while; the promise is returned as it is. */
export async function patiently<T>(call: Promise<T>, io: Io): Promise<T> {
  const timer = setTimeout(() => {
    io.stderr.write("Waiting for the service. The first call of a plugin installs what the plugin requires.\n");
  }, patienceMs);
  try {
    return await call;
  } finally {
    clearTimeout(timer);
  }
}
