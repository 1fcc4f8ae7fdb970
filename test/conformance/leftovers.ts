import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createReadStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Group } from "./engine.ts";
import { failure, languages, modes, run } from "./run.ts";

/** Programs that a call leaves running end with it, or at least with its worker. */
export const leftovers: Group = {
  subject: "leftovers",
  concurrency: 1, // they end workers that are shared
  cases(check) {
    for (const language of languages) {
      const plugin = `${language}-leaving`;

      for (const mode of modes) {
        for (const way of ["plain", "orphaned", "hidden"]) {
          check(
            `a program that a call leaves running ends with it: ${way} (${language}, ${mode})`,
            async ({ client }) => {
              using held = new Held();
              assert.equal(await run(client, mode, plugin, "leave", { fifo: held.path, way }), "left");
              await held.released;
              assert.equal(typeof (await run(client, mode, plugin, "pid")), "number");
            },
          );
        }

        check(`a program that a call has not seen start ends with it (${language}, ${mode})`, async ({ client }) => {
          using held = new Held();
          assert.equal(await run(client, mode, plugin, "desert", { fifo: held.path }), "left");
          await held.released;
        });
      }

      check(`a program that hides ends with a worker that dies (${language}, local)`, async ({ client }) => {
        using held = new Held();
        const params = { fifo: held.path, way: "hidden", dies: true };
        assert.equal((await failure(run(client, "local", plugin, "leave", params))).reason, "WORKER_LOST");
        await held.released;
      });

      check(`a call that leaves nothing running keeps its worker (${language}, local)`, async ({ client }) => {
        const first = await run(client, "local", plugin, "pid");
        assert.equal(await run(client, "local", plugin, "pid"), first);
      });
    }

    check(
      "a process that a call forked for the next ones stays with its worker (javascript, local)",
      async ({ client }) => {
        const first = await run(client, "local", "javascript-leaving", "forked");
        assert.equal(await run(client, "local", "javascript-leaving", "forked"), first);
      },
    );

    check("a pool that a call made is there for the next (python, local)", async ({ client }) => {
      const first = await run(client, "local", "python-leaving", "pooled");
      assert.deepEqual(await run(client, "local", "python-leaving", "pooled"), first);
    });
  },
};

/** A pipe with a name: whoever holds it open lets it go with its end. */
class Held implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "plugin-runner-held-"));
  readonly path = join(this.#folder, "fifo");
  readonly released: Promise<unknown>;

  constructor() {
    execFileSync("mkfifo", [this.path]);
    const reader = createReadStream(this.path);
    this.released = once(reader.resume(), "end");
    this.released.catch(() => {});
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }
}
