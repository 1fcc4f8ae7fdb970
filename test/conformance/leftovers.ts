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
        check(`a program that a call leaves running ends with it (${language}, ${mode})`, async ({ client }) => {
          using held = new Held();
          assert.equal(await run(client, mode, plugin, "leave", { fifo: held.path, hidden: false }), "left");
          await held.released;
          assert.equal(typeof (await run(client, mode, plugin, "pid")), "number");
        });
      }

      check(`a program that hides from its worker ends with it (${language}, local)`, async ({ client }) => {
        using held = new Held();
        assert.equal(await run(client, "local", plugin, "leave", { fifo: held.path, hidden: true }), "left");
        assert.equal((await failure(run(client, "local", plugin, "die"))).reason, "WORKER_LOST");
        await held.released;
      });

      check(`a call that leaves nothing running keeps its worker (${language}, local)`, async ({ client }) => {
        const first = await run(client, "local", plugin, "pid");
        assert.equal(await run(client, "local", plugin, "pid"), first);
      });
    }

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
