import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";

/** An index of Python packages that answers nothing about them before it is told to. It has `tiny-greeting` 1.0. */
export class PackageIndex implements AsyncDisposable {
  readonly #server: Server;
  readonly #wheel: Buffer;
  readonly #asked = Promise.withResolvers<void>();
  readonly #open = Promise.withResolvers<void>();
  /** How many builds have asked for the package. */
  builds = 0;

  private constructor(wheel: Buffer) {
    this.#wheel = wheel;
    this.#server = createServer(async ({ url = "" }, response) => {
      if (url === "/simple/tiny-greeting/") {
        this.builds++;
        this.#asked.resolve();
      }
      await this.#open.promise;
      const file = "tiny_greeting-1.0-py3-none-any.whl";
      if (url.endsWith(file)) response.end(this.#wheel);
      else if (url === "/simple/tiny-greeting/") {
        response.setHeader("content-type", "text/html").end(`<!DOCTYPE html><a href="/${file}">${file}</a>`);
      } else response.writeHead(404).end();
    });
  }

  /** @param dir where a file of the wheel's may stand */
  static async start(dir: string, python = "python3"): Promise<PackageIndex> {
    const path = join(dir, "tiny_greeting-1.0-py3-none-any.whl");
    execFileSync(python, ["-c", makeWheel, path]);
    const index = new PackageIndex(readFileSync(path));
    index.#server.listen(0, "127.0.0.1");
    await once(index.#server, "listening");
    return index;
  }

  /** What tells pip of it. */
  get options(): string[] {
    const address = this.#server.address();
    const port = typeof address === "object" ? address?.port : 0;
    return ["--index-url", `http://127.0.0.1:${port}/simple/`, "--no-cache-dir"];
  }

  /** Resolves once a build has asked for the package. */
  get asked(): Promise<void> {
    return this.#asked.promise;
  }

  /** Lets it answer, from now on. */
  answer(): void {
    this.#open.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.answer();
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

const makeWheel = `
import sys, zipfile
files = {
    "tiny_greeting.py": "text = 'hello'\\n",
    "tiny_greeting-1.0.dist-info/METADATA": "Metadata-Version: 2.1\\nName: tiny-greeting\\nVersion: 1.0\\n",
    "tiny_greeting-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    "tiny_greeting-1.0.dist-info/RECORD": "",
}
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    for name, text in files.items():
        wheel.writestr(name, text)
`;
