import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Writes the plugins of these tests to a plugin root. */
export function writePlugins(root: string): void {
  write(root, {
    "acts/config.yaml": config("acts", ["ids", "raises", "exits", "waits", "ends_in_time", "meets", "tool"]),
    "acts/main.py": acts,
    "acts/tool.sh": "#!/bin/sh\necho of use\n",
    "needy/config.yaml": config("needy", ["greet"]),
    "needy/main.py": "def greet() -> str:\n    import tiny_greeting\n    return tiny_greeting.greeting\n",
    "needy/requirements.txt": "tiny-greeting==1.0\n",
    "hopeless/config.yaml": config("hopeless", ["never"]),
    "hopeless/main.py": "def never() -> int:\n    return 1\n",
    "hopeless/requirements.txt": "./not-there.whl\n",
    "packed/config.yaml": "name: Packed\ncode: packed\nactions: {run: {entrypoint: './index.js#run', params: {}}}\n",
    "packed/index.js": 'import { answer } from "tiny";\nexport const run = () => answer;\n',
    "packed/package.json": '{"type": "module", "dependencies": {"tiny": "1"}}',
    "packed/node_modules/tiny/package.json": '{"name": "tiny", "type": "module", "exports": "./tiny.js"}',
    "packed/node_modules/tiny/tiny.js": "export const answer = 42;\n",
    "script/config.yaml": "name: Script\ncode: script\n",
    "script/index.ts": script,
  });
  chmodSync(join(root, "acts/tool.sh"), 0o755);
  makeWheel(join(root, "needy/wheels/tiny_greeting-1.0-py3-none-any.whl"));
}

function write(folder: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

function config(code: string, actions: readonly string[]): string {
  const lines = actions.map((name) => `  ${name}: { entrypoint: main:${name} }`);
  return [`name: ${code}`, `code: ${code}`, "actions:", ...lines, ""].join("\n");
}

const acts = `
import os, subprocess, sys, time
from plugin_runner import Context

def begin(file: str) -> None:
    with open(file + "-new", "w") as new:
        new.write(str(os.getpid()))
    os.rename(file + "-new", file)

def ids() -> dict:
    return {"pid": os.getpid(), "parent": os.getppid()}

def meets(mine: str, theirs: str) -> dict:
    begin(mine)
    while not os.path.exists(theirs):
        time.sleep(0.01)
    return ids()

def raises() -> int:
    raise ValueError("as it was told")

def exits(code: int, begun: str = "", seconds: float = 0.0) -> int:
    if begun:
        open(begun, "w").close()
        time.sleep(seconds)
    print("last words", file=sys.stderr, flush=True)
    os._exit(code)

def tool() -> str:
    return subprocess.run(["./tool.sh"], cwd=os.path.dirname(__file__), capture_output=True, text=True).stdout

def waits(begun: str) -> int:
    begin(begun)
    while True:
        time.sleep(60)

def ends_in_time(begun: str, ctx: Context) -> int:
    begin(begun)
    while not ctx.cancelled:
        time.sleep(0.01)
    begin(begun + "-heeded")
    return 1
`;

const script = `
import { defineAction } from "plugin-runner";
const none = { type: "object" };
const number = { type: "object", properties: { n: { type: "number" } }, required: ["n"] };
export const double = defineAction({ params: number, run: ({ n }) => 2 * n });
export const pid = defineAction({ params: none, run: () => process.pid });
`;

const makeWheelProgram = `
import sys, zipfile
files = {
    "tiny_greeting.py": "greeting = 'hello from a wheel'\\n",
    "tiny_greeting-1.0.dist-info/METADATA": "Metadata-Version: 2.1\\nName: tiny-greeting\\nVersion: 1.0\\n",
    "tiny_greeting-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    "tiny_greeting-1.0.dist-info/RECORD": "",
}
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    for name, text in files.items():
        wheel.writestr(name, text)
`;

function makeWheel(file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  execFileSync("python3", ["-c", makeWheelProgram, file]);
}
