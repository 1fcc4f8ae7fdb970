import type { LoadedPlugin } from "../plugin/plugin.ts";
import { startVariables } from "../worker/start-variables.ts";

/** What a worker is started for. Requests with equal plans may go to the same worker. */
export interface WorkerPlan {
  readonly plugin: LoadedPlugin;
  /** The variables of configuration and request that the process has to be started with. */
  readonly env: Readonly<Record<string, string>>;
  /** The most memory that the process may use, in MiB. Absent: as the service says for all. */
  readonly memoryMib?: number | undefined;
}

/** Callers may send ever new values; a plan that is forgotten is made again, and gets a worker of its own. */
const maxPlans = 64;

interface Plans {
  readonly usual: WorkerPlan;
  readonly others: Map<string, WorkerPlan>;
}

const known = new WeakMap<LoadedPlugin, Plans>();

/** The plan for a request with these variables and this limit of memory: always the same object for equal ones. */
export function planFor(
  plugin: LoadedPlugin,
  env: Readonly<Record<string, string>>,
  memoryMib?: number | undefined,
): WorkerPlan {
  const { usual, others } = plansOf(plugin);
  const asked = Object.entries(startVariables(env)).filter(([name, value]) => plugin.binding.env[name] !== value);
  if (asked.length === 0 && memoryMib === undefined) return usual;
  const key = JSON.stringify([memoryMib, asked.sort()]);
  const plan = others.get(key) ?? { plugin, env: { ...usual.env, ...Object.fromEntries(asked) }, memoryMib };
  others.delete(key); // the one that was used last stands last
  others.set(key, plan);
  for (const oldest of others.keys()) {
    if (others.size <= maxPlans) break;
    others.delete(oldest);
  }
  return plan;
}

function plansOf(plugin: LoadedPlugin): Plans {
  const found = known.get(plugin);
  if (found !== undefined) return found;
  const plans = { usual: { plugin, env: startVariables(plugin.binding.env) }, others: new Map<string, WorkerPlan>() };
  known.set(plugin, plans);
  return plans;
}
