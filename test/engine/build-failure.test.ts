import assert from "node:assert/strict";
import { test } from "node:test";
import { buildFailed, decisiveLines, mayPass } from "../../src/engine/build-failure.ts";

const outputs = [
  {
    of: "pip, of a package that no index has",
    lines: [
      "Looking in indexes: https://index.example/simple",
      "ERROR: Could not find a version that satisfies the requirement x==9 (from versions: none)",
      "ERROR: No matching distribution found for x==9",
    ],
    says: ["No matching distribution found for x==9"],
  },
  {
    of: "pip, of versions that exclude each other",
    lines: [
      "ERROR: Cannot install a==1 and b==2 because these package versions have conflicting dependencies.",
      "The conflict is caused by:",
      "ERROR: ResolutionImpossible: for help visit https://pip.pypa.io/",
    ],
    says: [
      "Cannot install a==1 and b==2 because these package versions have conflicting dependencies.",
      "ResolutionImpossible: for help visit https://pip.pypa.io/",
    ],
  },
  {
    of: "uv",
    lines: [
      "× No solution found when resolving dependencies:",
      "╰─▶ Because x was not found in the package registry and you require x==9, we can conclude that",
    ],
    says: [
      "No solution found when resolving dependencies:",
      "Because x was not found in the package registry and you require x==9, we can conclude that",
    ],
  },
  {
    of: "npm",
    lines: [
      "npm error code E404",
      "npm error 404 Not Found - GET https://registry.example/x",
      "npm error A complete log",
    ],
    says: ["code E404", "404 Not Found - GET https://registry.example/x"],
  },
  {
    of: "a compiler",
    lines: [
      "building 'x' extension",
      "x.c:1:10: fatal error: Python.h: No such file or directory",
      "compilation terminated.",
    ],
    says: ["x.c:1:10: fatal error: Python.h: No such file or directory"],
  },
  { of: "nobody who says why", lines: ["Collecting x", "Installing"], says: [] },
] as const;

for (const { of, lines, says } of outputs) {
  test(`what decided is found in the output of ${of}`, () => {
    assert.deepEqual(decisiveLines(lines), says);
  });
}

test("a full disk is a failure of storage, and not of the plugin", () => {
  const lines = [
    "Collecting x",
    "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
  ];
  const error = buildFailed({ plugin: "p", manager: "pip", code: "1", lines });
  assert.equal(error.reason, "STORAGE_UNAVAILABLE");
  assert.match(
    error.message,
    /^The environment of plugin p cannot be built: [^\n]*No space left on device\npip failed \(1\)/,
  );
});

test("what the network may be to blame for may pass, and what an index does not have does not", () => {
  const missing = "ERROR: No matching distribution found for x==9";
  assert.equal(mayPass([missing]), false);
  assert.equal(mayPass(["WARNING: Retrying after connection broken by 'NewConnectionError'", missing]), true);
  assert.equal(mayPass(["npm error code EAI_AGAIN"]), true);
});
