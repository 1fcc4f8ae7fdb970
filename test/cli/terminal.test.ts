import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, test } from "node:test";
import { LiveArea } from "../../src/cli/live-area.ts";
import { fit, neutral, paint, print } from "../../src/cli/terminal.ts";

test("neutral() leaves text, tabs and line ends, and shows every other control character", () => {
  assert.equal(neutral("héllo\t漢字 🎉\n"), "héllo\t漢字 🎉\n");
  assert.equal(neutral("\x1b[2J\x07\r\x00\x9b\x7f"), "\\x1b[2J\\x07\\x0d\\x00\\x9b\\x7f");
  assert.equal(neutral("a\u202eb"), "a\\x202eb");
});

test("fit() counts wide characters twice, and bars once", () => {
  assert.equal(fit("abcdef", 4), "abcd");
  assert.equal(fit("漢字漢字", 5), "漢字");
  assert.equal(fit("██░░", 4), "██░░");
});

test("paint() colours nothing that is no terminal", () => {
  assert.equal(paint(new PassThrough(), "red", "text"), "text");
});

test("print() waits for a reader that is behind", async () => {
  const stream = new PassThrough({ highWaterMark: 1 });
  let printed = false;
  const printing = print(stream, "text").then(() => {
    printed = true;
  });
  await new Promise(setImmediate);
  assert.equal(printed, false);
  stream.resume();
  await printing;
});

describe("LiveArea", () => {
  test("erases what it drew, prints what is new above, and draws again", () => {
    const stream = Object.assign(new PassThrough({ encoding: "utf8" }), { columns: 11, rows: 10 });
    let bars = ["one", "a line that is too long"];
    {
      using area = new LiveArea(stream, () => bars);
      area.print("first");
      area.update();
    }
    assert.equal(stream.read(), "first\none\na line tha\n");
    using area = new LiveArea(stream, () => bars);
    area[Symbol.dispose]();
    stream.read();
    bars = ["two"];
    area.print("second");
    area[Symbol.dispose]();
    assert.equal(stream.read(), "\r\x1b[2A\x1b[Jsecond\ntwo\n");
  });

  test("never draws more lines than the terminal has", () => {
    const stream = Object.assign(new PassThrough({ encoding: "utf8" }), { columns: 80, rows: 3 });
    const area = new LiveArea(stream, () => ["1", "2", "3", "4"]);
    area[Symbol.dispose]();
    assert.equal(stream.read(), "1\n2\n");
  });
});
