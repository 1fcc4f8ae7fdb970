/** What runs may change of their process, put back so that every call of a worker starts as the first. */
export class ProcessState {
  readonly #cwd = process.cwd();
  /** Node tells it without a change only in a way that it calls unsafe. */
  readonly #umask = process.umask(0o077);
  readonly #env: NodeJS.ProcessEnv;
  /** The variables that were changed, with what they were before. */
  readonly #before = new Map<string, string | undefined>();

  constructor() {
    process.umask(this.#umask);
    const variables = process.env;
    const note = (name: string | symbol) => {
      if (typeof name === "string" && !this.#before.has(name)) this.#before.set(name, variables[name]);
    };
    // To compare all variables after each call would take longer than the call.
    this.#env = new Proxy(variables, {
      set(target, name, value) {
        note(name);
        return Reflect.set(target, name, value);
      },
      deleteProperty(target, name) {
        note(name);
        return Reflect.deleteProperty(target, name);
      },
      defineProperty(target, name, descriptor) {
        note(name);
        return Reflect.defineProperty(target, name, descriptor);
      },
    });
    process.env = this.#env;
  }

  /** Lays variables over the environment, until it is put back. */
  lay(variables: Readonly<Record<string, string>>): void {
    Object.assign(this.#env, variables);
  }

  /** Takes what was changed as what calls start with, but for the variables that were laid over it: code was loaded. */
  keep(laid: Readonly<Record<string, string>>): void {
    for (const name of this.#before.keys()) if (!Object.hasOwn(laid, name)) this.#before.delete(name);
  }

  putBack(): void {
    process.env = this.#env;
    if (this.#before.size > 0) this.#putBackVariables();
    process.umask(this.#umask);
    this.#putBackCwd();
  }

  #putBackCwd(): void {
    try {
      if (process.cwd() === this.#cwd) return;
    } catch {
      // a directory that is gone
    }
    try {
      process.chdir(this.#cwd);
    } catch {
      // the plugin itself is gone: the call will say so
    }
  }

  #putBackVariables(): void {
    for (const [name, value] of this.#before) {
      if (value === undefined) delete this.#env[name];
      else this.#env[name] = value;
    }
    this.#before.clear();
  }
}
