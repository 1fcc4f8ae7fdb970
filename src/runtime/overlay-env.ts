/** Lays variables over the process environment. Returns what takes them back. */
export function overlayEnv(env: Readonly<Record<string, string>>): () => void {
  const before = Object.keys(env).map((name): [string, string | undefined] => [name, process.env[name]]);
  Object.assign(process.env, env);
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
}
