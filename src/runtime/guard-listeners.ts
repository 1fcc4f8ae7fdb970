import { AsyncLocalStorage } from "node:async_hooks";
import type { EventEmitter } from "node:events";
import { type CodeRun, currentRun, leaveRun, outsideOfRun } from "./code-run.ts";

export interface ListenerGuard {
  /** The plugin that a call outside of every run, or a fault, comes from, by its stack. */
  pluginOf(stack: string): string | undefined;
  /** Is told of what nobody caught, with the plugin where it came out of a listener that belongs to no run. */
  stray(thrown: unknown, plugin?: string): void;
}

/** Whose a listener is. */
interface Owner {
  plugin: string;
  run: CodeRun | undefined;
}

const faults: readonly unknown[] = ["uncaughtException", "unhandledRejection", "uncaughtExceptionMonitor"];

/** Set for what a listener of a fault does, also later: a fault of that is told to no listener, which could go on for ever. */
const handling = new AsyncLocalStorage<true>();

/**
 * Keeps what plugins do with the listeners of `process` to themselves, for the life of the process. `stray` is told of
 * every fault and is no listener, so it cannot be removed. A listener of a plugin is called on behalf of the run that added
 * it, hears of faults of its own plugin alone, and what it throws goes to `stray`. A plugin can remove no listener but its own.
 */
export function guardListeners({ pluginOf, stray }: ListenerGuard): void {
  const owners = new WeakMap<object, Owner>();
  const emit = method("emit");
  const removeListener = method("removeListener");
  const capture = method("setUncaughtExceptionCaptureCallback");

  const caller = (): Owner | undefined => {
    const run = currentRun();
    const plugin = run === undefined ? pluginOf(String(new Error().stack)) : run.plugin;
    return plugin === undefined ? undefined : { plugin, run };
  };

  const isOf = ({ plugin }: Owner, thrown: unknown): boolean => {
    if (handling.getStore() === true) return false;
    const run = currentRun();
    const stack = thrown instanceof Error ? String(thrown.stack) : "";
    return plugin === (run === undefined ? pluginOf(stack) : run.plugin);
  };

  const call = ({ plugin, run }: Owner, listener: Callback, args: readonly unknown[]): void => {
    const contained = () => {
      try {
        Reflect.apply(listener, process, args);
      } catch (thrown) {
        stray(thrown, run === undefined ? plugin : undefined);
      }
    };
    if (run === undefined) outsideOfRun(contained);
    else run.within(contained);
  };

  const heard = (owner: Owner, event: unknown, listener: Callback, args: readonly unknown[]): void => {
    if (!faults.includes(event)) call(owner, listener, args);
    else if (isOf(owner, args[0])) handling.run(true, () => call(owner, listener, args));
  };

  for (const [name, by, isOnce] of additions) {
    const original = method(name);
    const add = method(by);
    put(name, (event, listener) => {
      const owner = caller();
      if (owner === undefined || !isCallback(listener)) return original(event, listener);
      const guarded = (...args: unknown[]) => {
        if (isOnce) removeListener(event, guarded);
        heard(owner, event, listener, args);
      };
      owners.set(guarded, owner);
      return add(event, Object.assign(guarded, { listener })); // Node takes it off by either
    });
  }

  const isOwn = (listener: object, owner: Owner): boolean => owners.get(listener)?.plugin === owner.plugin;

  for (const name of ["off", "removeListener"]) {
    put(name, (event, listener) => {
      const owner = caller();
      const found = listenersOf(event).findLast(
        (each) => each === listener || Reflect.get(each, "listener") === listener,
      );
      if (owner !== undefined && found !== undefined && !isOwn(found, owner)) return process;
      return removeListener(event, listener);
    });
  }

  const removeAll = method("removeAllListeners");
  put("removeAllListeners", (...events) => {
    const owner = caller();
    if (owner === undefined) return removeAll(...events);
    for (const event of events.length > 0 ? events : process.eventNames()) {
      for (const each of listenersOf(event)) if (isOwn(each, owner)) removeListener(event, each);
    }
    return process;
  });

  put("setUncaughtExceptionCaptureCallback", (callback) => {
    const owner = caller();
    if (owner === undefined || !isCallback(callback)) return capture(callback);
    return capture((thrown: unknown) => {
      if (isOf(owner, thrown)) handling.run(true, () => call(owner, callback, [thrown]));
      else stray(thrown);
      leaveRun();
    });
  });

  put("emit", (event, thrown, ...more) => {
    if (!faults.includes(event)) return emit(event, thrown, ...more);
    if (event !== "uncaughtExceptionMonitor") stray(thrown);
    try {
      emit(event, thrown, ...more);
    } catch (error) {
      stray(error);
    } finally {
      if (event !== "uncaughtExceptionMonitor") leaveRun(); // which comes before the event itself
    }
    return true;
  });
}

type Callback = (...args: unknown[]) => unknown;

/** Each with the method that does it here, and whether the listener goes with its first call. */
const additions = [
  ["on", "on", false],
  ["addListener", "on", false],
  ["prependListener", "prependListener", false],
  ["once", "on", true],
  ["prependOnceListener", "prependListener", true],
] as const;

function method(name: string): Callback {
  const original: unknown = Reflect.get(process, name);
  if (!isCallback(original)) throw new TypeError(`process.${name} is no function.`);
  return (...args) => Reflect.apply(original, process, args);
}

function put(name: string, by: Callback): void {
  Reflect.set(process, name, by);
}

function isCallback(value: unknown): value is Callback {
  return typeof value === "function";
}

const emitter: EventEmitter = process;

function listenersOf(event: unknown): object[] {
  return typeof event === "string" || typeof event === "symbol" ? emitter.rawListeners(event) : [];
}
