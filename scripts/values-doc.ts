/**
 * Makes docs/values.md of contract/values.json, which the tests of every client and of both runtimes read. With `--check`
 * it writes nothing, and fails when the document is not what the table says.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

interface Row {
  name: string;
  value?: unknown;
  python?: string;
  javascript?: string;
  json?: unknown;
  non_finite?: string[];
  field?: string;
  reason?: string;
  refused?: { field: string; fields?: string[] };
}

const root = join(import.meta.dirname, "..");
const document = join(root, "docs/values.md");
const { echoed, refused, results }: Record<"echoed" | "refused" | "results", Row[]> = JSON.parse(
  readFileSync(join(root, "contract/values.json"), "utf8"),
);

const text = `# Values on their way

<!-- Made from contract/values.json by \`npm run values\`: change that file, or scripts/values-doc.ts. -->

Params and results travel as JSON in Protobuf's \`Value\`. What is given arrives exactly, or is refused with the JSON pointer
(RFC 6901) to the place; nothing is rounded, replaced or left out without a word. That holds in every mode, on both engines,
in both languages of plugins and in all clients, whose tests read the same table as this document is made from.

- **Integers** are exact up to ±(2^53−1). Beyond that a client refuses them before anything is sent, and a result with one is
  RESULT_INVALID: give them as text. Whole numbers are \`int\` in Python where no type says otherwise. Floats that are large, as
  1e300, are floats; −0.0 stays a float.
  Tools without a client of this project, such as grpcurl and curl, make every number a double before the service sees
  it: there an integer beyond is rounded by the tool.
- **NaN and infinities** are numbers like others, and a schema's \`number\` takes them unless limits say otherwise; an
  \`integer\` does not. JSON has no literal for them: on the wire they stand as the texts "NaN", "Infinity" and "-Infinity", and
  \`non_finite\` in the same message has the JSON pointers to these texts. Clients and runtimes turn exactly those
  into numbers. Whoever reads the messages without a client of this project does the same; a text that no pointer names is
  a text. A raw NaN in a \`Value\` of a request is taken as well. The schemas that GetPlugin shows have such a default as text.
- **Text** is Unicode. Half a surrogate pair (\`"\\ud800"\`) has no UTF-8: it is refused in params and results, and shown as its
  escape in logs, metrics and metadata.
- **Names** in objects are text. What is accepted as a value is accepted as a name, as the text that it is as a value. Two that become equal are
  refused, both named. \`__proto__\` is refused. Objects have no order on the wire: Protobuf's maps have none, and a
  client may show their members in another one than they were given in. Lists keep theirs.
- **Depth**: decoders of Protobuf read 100 messages in each other. So 31 objects may stand in each other, or 47 lists. Params
  that are deeper are refused before anything runs, deeper results are RESULT_INVALID.
- **Size**: a result that is larger than the service's \`--max-result-size\` is RESULT_INVALID. Make large arrays an artifact
  (\`ctx.artifact\`).
- **What is kept**: a result that has places without JSON is RESULT_INVALID, and what can be carried of it is kept with null at these
  places: in the error of a job (\`JobError.partial_result\`), and with the refusal of a run when it is small enough for
  its headers. The error's metadata has \`field\`, the pointer to the first place, and \`fields\`, all of them as a JSON list.
- **Metrics, log fields and metadata** refuse nothing. Numbers stay numbers, what has no JSON becomes its text, and only a
  name that cannot be, or what is too deep, is left out.

## What comes back as it was given

${table(["A value", "on the wire", "in Python", "in JavaScript"], echoed.map(echoedRow))}

## What clients refuse to send

${table(
  ["A param", "reason", "place"],
  refused.map(({ name, reason = "", field = "" }) => [name, reason, code(field)]),
)}

## What an action may return

${table(["A result", "in Python", "in JavaScript", "becomes"], results.filter(({ refused }) => !refused).map(resultRow))}

## What is refused of a result

The last column is what is kept.

${table(["A result", "in Python", "in JavaScript", "place", "kept"], results.filter(({ refused }) => refused).map(refusedRow))}
`;

if (!parseArgs({ options: { check: { type: "boolean" } } }).values.check) {
  writeFileSync(document, text);
} else if (readDocument() !== text) {
  console.error("docs/values.md is not what contract/values.json says: run npm run values");
  process.exitCode = 1;
}

function echoedRow({ name, value, python = "", javascript = "" }: Row): string[] {
  return [name, code(shown(value)), code(python), code(javascript)];
}

function resultRow({ name, python = "", javascript = "", json, non_finite: nonFinite = [] }: Row): string[] {
  const pointers = nonFinite.map((pointer) => code(pointer || '""')).join(", ");
  return [name, code(python), code(javascript), code(JSON.stringify(json)) + (pointers && ` numbers at ${pointers}`)];
}

function refusedRow({ name, python = "", javascript = "", json, refused }: Row): string[] {
  const { field = "", fields = [field] } = refused ?? {};
  return [name, code(python), code(javascript), fields.map(code).join(", "), code(JSON.stringify(json))];
}

/** A value of the table for people. */
function shown(value: unknown): string {
  return JSON.stringify(value)
    .replace(/\{"\$number":"([^"]+)"\}/g, "$1")
    .replace(/\{"\$nest":"(\w+)","levels":(\d+)\}/g, "$2 $1s in each other");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** Code in a cell: a bar would end it, and a backquote the code. */
function code(source: string): string {
  if (source === "") return "";
  const fence = source.includes("`") ? "``" : "`";
  return `${fence}${source.replaceAll("|", "\\|")}${fence}`;
}

function readDocument(): string {
  try {
    return readFileSync(document, "utf8");
  } catch {
    return "";
  }
}
