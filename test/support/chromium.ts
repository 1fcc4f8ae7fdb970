import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { text } from "node:stream/consumers";
import { findOnPath } from "../../src/util/find-on-path.ts";
import { project } from "./server.ts";

const program = findOnPath("chromium") ?? findOnPath("google-chrome");

/** Why there is no browser on this machine; false when there is. */
export const withoutChromium = program === undefined && "chromium is not on PATH";

/** Where the modules of a page come from: this package as it is built, and those it depends on. */
const importMap = {
  imports: {
    "plugin-runner/browser": "/dist/src/browser.js",
    "@bufbuild/protobuf": "/node_modules/@bufbuild/protobuf/dist/esm/index.js",
    "@bufbuild/protobuf/codegenv2": "/node_modules/@bufbuild/protobuf/dist/esm/codegenv2/index.js",
    "@bufbuild/protobuf/reflect": "/node_modules/@bufbuild/protobuf/dist/esm/reflect/index.js",
    "@bufbuild/protobuf/wire": "/node_modules/@bufbuild/protobuf/dist/esm/wire/index.js",
    "@bufbuild/protobuf/wkt": "/node_modules/@bufbuild/protobuf/dist/esm/wkt/index.js",
    "@connectrpc/connect": "/node_modules/@connectrpc/connect/dist/esm/index.js",
    "@connectrpc/connect/protocol": "/node_modules/@connectrpc/connect/dist/esm/protocol/index.js",
    "@connectrpc/connect/protocol-connect": "/node_modules/@connectrpc/connect/dist/esm/protocol-connect/index.js",
    "@connectrpc/connect/protocol-grpc": "/node_modules/@connectrpc/connect/dist/esm/protocol-grpc/index.js",
    "@connectrpc/connect/protocol-grpc-web": "/node_modules/@connectrpc/connect/dist/esm/protocol-grpc-web/index.js",
    "@connectrpc/connect-web": "/node_modules/@connectrpc/connect-web/dist/esm/index.js",
  },
};

const types: Record<string, string> = { ".js": "text/javascript", ".html": "text/html" };

/** A web server of pages for a real browser. */
export class Pages implements AsyncDisposable {
  /** Where pages come from. */
  readonly origin: string;
  readonly #server: Server;
  #script = "";
  #ended = Promise.withResolvers<Outcome>();

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.origin = `http://127.0.0.1:${port}`;
    server.on("request", (request, response) => void this.#answer(request, response));
  }

  static async open(): Promise<Pages> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("The pages have no port.");
    return new Pages(server, address.port);
  }

  /**
   * Opens a page with one script, a module, in a browser of its own. Resolves with the page's text when the script has
   * ended; rejects with what it threw. One page at a time.
   */
  async run(script: string, origin: string = this.origin): Promise<string> {
    if (program === undefined) throw new Error("There is no browser.");
    this.#script = script;
    this.#ended = Promise.withResolvers();
    const profile = mkdtempSync(join(tmpdir(), "chromium-"));
    const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", `--user-data-dir=${profile}`];
    const browser = spawn(program, [...flags, `${origin}/`], { stdio: "ignore" });
    const exited = once(browser, "exit");
    try {
      const left = exited.then(() => ({ error: "the browser ended before the page did" }));
      const outcome: Outcome = await Promise.race([this.#ended.promise, left]);
      if (outcome.error !== undefined) throw new Error(outcome.error);
      return outcome.text ?? "";
    } finally {
      browser.kill("SIGKILL");
      await exited;
      rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? "/", this.origin);
    if (request.method === "POST") {
      const outcome: Outcome = JSON.parse(await text(request));
      this.#ended.resolve(outcome);
      response.end();
    } else if (pathname === "/") {
      response.setHeader("content-type", "text/html").end(page);
    } else if (pathname === "/script.js") {
      response.setHeader("content-type", "text/javascript").end(this.#script);
    } else {
      this.#file(pathname, response);
    }
  }

  #file(pathname: string, response: ServerResponse): void {
    try {
      const bytes = readFileSync(join(project, pathname));
      response.setHeader("content-type", types[extname(pathname)] ?? "application/octet-stream").end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  }
}

interface Outcome {
  text?: string;
  error?: string;
}

const page = `<!doctype html><script type="importmap">${JSON.stringify(importMap)}</script><body><script type="module">
const ended = (outcome) => fetch("/ended", { method: "POST", body: JSON.stringify(outcome) });
import("/script.js").then(
  () => ended({ text: document.body.innerText }),
  (error) => ended({ error: String(error?.stack ?? error) }),
);
</script>`;
