import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Group } from "./engine.ts";
import { everywhere, object, run } from "./run.ts";

export const directories: Group = {
  subject: "directories",
  concurrency: 4,
  cases(check) {
    for (const { language, mode } of everywhere) {
      const plugin = `${language}-directories`;

      check(
        `every run has a directory of its own, empty at first and removed at its end (${language}, ${mode})`,
        async ({ client }) => {
          const ended = await Promise.all(["a", "b", "c"].map((text) => keep([text])));
          assert.deepEqual(
            ended.map(({ found }) => found),
            [[], [], []],
          );
          const used = ended.map(({ directory }) => String(directory));
          assert.equal(new Set(used).size, 3);
          for (const directory of used) assert.equal(existsSync(directory), false);

          async function keep(texts: string[]) {
            return object(await run(client, mode, plugin, "keep", { texts }));
          }
        },
      );

      check(`what runs make known is their own and outlasts them (${language}, ${mode})`, async ({ client }) => {
        const given = [["a", "b"], ["c"], ["d", "e"]];
        const ended = await Promise.all(given.map((texts) => run(client, mode, plugin, "keep", { texts })));
        assert.deepEqual(
          ended.map((result) => filesOf(object(result).uris)),
          given,
        );
      });
    }
  },
};

function filesOf(uris: unknown): string[] {
  assert.ok(Array.isArray(uris));
  return uris.map((uri) => readFileSync(fileURLToPath(String(uri)), "utf8"));
}
