import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Violation } from "../errors.ts";
import { escapePointer, isJsonObject } from "../util/json.ts";
import { didYouMean } from "../util/nearest.ts";
import { subschemasInPlace } from "./schema-limits.ts";

/** Of one answer. */
const maxWarnings = 100;

/** Schemas that combine without end are looked through no further than this. */
const maxNodes = 2000;

/** With one of these a schema speaks of names that it does not list. */
const opening = ["additionalProperties", "patternProperties", "unevaluatedProperties", "propertyNames"] as const;

/** What a schema knows of a value: the names of an object, each with what is known of its value, and a list's items. */
interface Known {
  names: Map<string, Known | undefined>;
  /** Whether the names are all that there are. */
  closed: boolean;
  items: Known | undefined;
}

/**
 * Finds params that a schema does not declare, and does not refuse either. Undefined when the schema leaves no such gap,
 * so that params need not be looked through.
 */
export function findUndeclared(schema: JsonObject): ((params: JsonObject) => Violation[]) | undefined {
  const known = new Knowledge(schema).of([schema]);
  if (!known) return undefined;
  return (params) => {
    const found: Violation[] = [];
    look(params, known, "/params", found);
    return found;
  };
}

class Knowledge {
  readonly #root: JsonObject;
  readonly #known = new Map<string, Known | undefined>();
  readonly #numbers = new Map<JsonObject, number>();

  constructor(root: JsonObject) {
    this.#root = root;
  }

  /** What several schemas of one value know of it together. Undefined when they warn of nothing. */
  of(schemas: readonly JsonObject[]): Known | undefined {
    const all = this.#inPlace(schemas);
    const key = all.map((schema) => this.#number(schema)).join();
    if (this.#known.has(key) || this.#known.size > maxNodes) return this.#known.get(key);
    const known: Known = { names: new Map(), closed: false, items: undefined };
    this.#known.set(key, known); // a schema that contains itself comes back here
    const properties = all.map(({ properties }) => properties).filter(isJsonObject);
    const children = new Map<string, JsonObject[]>();
    for (const [name, child] of properties.flatMap(Object.entries)) {
      children.set(name, [...(children.get(name) ?? []), ...(isJsonObject(child) ? [child] : [])]);
    }
    for (const [name, schemas] of children) known.names.set(name, this.of(schemas));
    known.closed = properties.length > 0 && !all.some((schema) => opening.some((keyword) => keyword in schema));
    known.items = this.of(all.map(({ items }) => items).filter(isJsonObject));
    if (known.closed || known.items || [...known.names.values()].some(Boolean)) return known;
    this.#known.set(key, undefined);
    return undefined;
  }

  /** The schemas, and all that apply to the same value as they do. */
  #inPlace(schemas: readonly JsonObject[]): JsonObject[] {
    const found = new Set(schemas);
    for (const schema of found) for (const each of subschemasInPlace(schema, this.#root)) found.add(each);
    return [...found];
  }

  #number(schema: JsonObject): number {
    const number = this.#numbers.get(schema) ?? this.#numbers.size;
    this.#numbers.set(schema, number);
    return number;
  }
}

function look(value: JsonValue, known: Known, pointer: string, found: Violation[]): void {
  if (Array.isArray(value)) {
    if (!known.items) return;
    for (const [index, item] of value.entries()) look(item, known.items, `${pointer}/${index}`, found);
  } else if (isJsonObject(value)) {
    for (const name in value) {
      const below = known.names.get(name);
      if (below) look(value[name] ?? null, below, `${pointer}/${escapePointer(name)}`, found);
      else if (known.closed && !known.names.has(name) && found.length < maxWarnings) {
        found.push(undeclared(name, known.names, pointer));
      }
    }
  }
}

function undeclared(name: string, names: ReadonlyMap<string, unknown>, pointer: string): Violation {
  return {
    field: `${pointer}/${escapePointer(name)}`,
    description: `is not declared by the action, which may ignore it.${didYouMean(name, names.keys())}`,
    rule: "ignored",
  };
}
