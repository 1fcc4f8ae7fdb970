import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { defineAction } from "plugin-runner";

export const greet = defineAction({
  description: "Writes a greeting, as often as is asked for, to a file.",
  params: {
    type: "object",
    additionalProperties: false,
    properties: {
      name: { type: "string", default: "world", description: "Whom to greet." },
      times: { type: "integer", minimum: 1, default: 3, description: "How often." },
    },
  },
  async run({ name, times }, ctx) {
    const file = join(ctx.workDir, "greetings.txt");
    for (let count = 1; count <= times; count += 1) {
      ctx.throwIfCancelled();
      await writeFile(file, `Hello, ${name}!\n`, { flag: count === 1 ? "w" : "a" });
      ctx.setProgress(count, times, { message: `greeting ${count}` });
    }
    ctx.log(`Greeted ${name}.`, { fields: { times } });
    await ctx.artifact(file);
    return { greeting: `Hello, ${name}!`, times };
  },
});
