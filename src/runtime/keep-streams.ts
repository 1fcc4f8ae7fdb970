import { Writable } from "node:stream";

/**
 * Keeps code of plugins from ending or destroying what this process prints to, for the life of the process: the last words
 * of an `end` are printed all the same. Neither stream is made before somebody asks for it, which takes its time.
 */
export function keepStreams(isPlugin: () => boolean): void {
  for (const name of ["stdout", "stderr"] as const) {
    const property = Object.getOwnPropertyDescriptor(process, name);
    const make = property?.get;
    if (make === undefined) continue;
    let kept: unknown;
    const get = () => {
      kept ??= keep(Reflect.apply(make, process, []), isPlugin);
      return kept;
    };
    Object.defineProperty(process, name, { ...property, get });
  }
}

function keep(stream: unknown, isPlugin: () => boolean): unknown {
  if (!(stream instanceof Writable)) return stream;
  const { end, destroy } = stream;
  Reflect.set(stream, "end", (...args: unknown[]) => {
    if (!isPlugin()) return Reflect.apply(end, stream, args);
    const [last, ...rest] = args;
    if (typeof last !== "function" && last !== undefined && last !== null)
      Reflect.apply(stream.write, stream, [last, ...rest]);
    else for (const called of args) if (typeof called === "function") process.nextTick(() => called());
    return stream;
  });
  for (const name of ["destroy", "destroySoon"]) {
    Reflect.set(stream, name, (...args: unknown[]) => (isPlugin() ? stream : Reflect.apply(destroy, stream, args)));
  }
  return stream;
}
