import { isObject } from "../util/is-object.ts";
import { fragmentPath } from "../util/json-pointer.ts";

/** One parameter, or a part of one, as a row of a table. */
export interface SchemaRow {
  /** `settings.optim.alpha`; the items of a list are `name[]`, further names of an object `name.*`. */
  name: string;
  type: string;
  /** `required`, the default as JSON, or nothing. */
  preset: string;
  /** What the schema says of it, and its limits. */
  description: string;
}

/** Deeper parts are in the schema itself. */
const maxDepth = 6;
/** Of schemas in each other, alternatives and items included. */
const maxAbove = 2 * maxDepth;
/** Schemas that all refer to each other have more paths than anybody reads, or a machine can walk. */
const maxParts = 2000;

/** The parameters of a JSON Schema and their parts, from the outside in; what stands behind `$ref` and `allOf` as well. */
export function schemaRows(root: unknown): SchemaRow[] {
  return membersOf(root, { root, prefix: "", depth: 0, above: [], left: { parts: maxParts } });
}

/** Where a schema stands. */
interface Place {
  root: unknown;
  prefix: string;
  depth: number;
  /** The schemas that it stands in: one that refers to itself ends there. */
  above: readonly unknown[];
  /** How many parts of the whole table may still be looked at. */
  left: { parts: number };
}

function membersOf(schema: unknown, place: Place): SchemaRow[] {
  const { root, prefix, depth, above, left } = place;
  const whole = resolved(schema, root);
  if (depth >= maxDepth || above.includes(whole.source)) return [];
  const inner = { root, depth: depth + 1, above: [...above, whole.source], left };
  const required = Array.isArray(whole.required) ? whole.required : [];
  return Object.entries(isObject(whole.properties) ? whole.properties : {}).flatMap(([name, member]) => {
    const path = prefix === "" ? name : `${prefix}.${name}`;
    return [rowOf(path, member, required.includes(name), root), ...partsOf(member, { ...inner, prefix: path })];
  });
}

/** The parts of a value: of an object its members, of a list its items', and those of each of its alternatives. */
function partsOf(schema: unknown, place: Place): SchemaRow[] {
  const { items, additionalProperties, anyOf, oneOf, source } = resolved(schema, place.root);
  if (place.left.parts-- <= 0 || place.above.includes(source) || place.above.length > maxAbove) return [];
  const inner = { ...place, above: [...place.above, source] };
  const rows = [
    ...membersOf(schema, place),
    ...(isObject(items) ? partsOf(items, { ...inner, prefix: `${place.prefix}[]` }) : []),
    ...(isObject(additionalProperties) ? partsOf(additionalProperties, { ...inner, prefix: `${place.prefix}.*` }) : []),
    ...[anyOf, oneOf].flatMap((list) => (Array.isArray(list) ? list.flatMap((one) => partsOf(one, inner)) : [])),
  ];
  return rows.filter((row, at) => rows.findIndex(({ name }) => name === row.name) === at);
}

function rowOf(name: string, schema: unknown, required: boolean, root: unknown): SchemaRow {
  const whole = resolved(schema, root);
  const { default: preset, description = "" } = whole;
  const words = [String(description), limitsOf(whole, root)].filter((word) => word !== "");
  return {
    name,
    type: typeOf(schema, root, new Map()),
    preset: required ? "required" : preset === undefined ? "" : JSON.stringify(preset),
    description: words.join("; "),
  };
}

/** The words for a type. `known` has those of schemas that were met before: empty for one that stands in itself. */
function typeOf(schema: unknown, root: unknown, known: Map<unknown, string>): string {
  const whole = resolved(schema, root);
  const { type, enum: choices, const: only, items, anyOf, oneOf, format, properties, source } = whole;
  if (only !== undefined) return JSON.stringify(only);
  if (Array.isArray(choices)) return choices.map((choice) => JSON.stringify(choice)).join("|");
  const alternatives = [anyOf, oneOf].find(Array.isArray);
  if (alternatives) {
    return once(source, known, () => {
      const words = alternatives.map((one) => typeOf(one, root, known));
      return [...new Set(words.filter((word) => word !== ""))].join("|");
    });
  }
  const word = Array.isArray(type) ? type.join("|") : typeof type === "string" ? type : properties ? "object" : "";
  if (word === "array" && isObject(items)) {
    return once(source, known, () => {
      const item = typeOf(items, root, known) || "any";
      return item.includes("|") ? `(${item})[]` : `${item}[]`;
    });
  }
  return typeof format === "string" && word === "string" ? format : word;
}

function once(source: unknown, known: Map<unknown, string>, say: () => string): string {
  const said = known.get(source);
  if (said !== undefined) return said;
  known.set(source, "");
  const words = say();
  known.set(source, words);
  return words;
}

/** The keywords that limit a value, in words. */
const limits: readonly (readonly [keyword: string, words: (limit: unknown) => string])[] = [
  ["minimum", (limit) => `at least ${limit}`],
  ["exclusiveMinimum", (limit) => `more than ${limit}`],
  ["maximum", (limit) => `at most ${limit}`],
  ["exclusiveMaximum", (limit) => `less than ${limit}`],
  ["multipleOf", (limit) => `a multiple of ${limit}`],
  ["minLength", (limit) => `at least ${limit} characters`],
  ["maxLength", (limit) => `at most ${limit} characters`],
  ["pattern", (limit) => `matches ${limit}`],
  ["minItems", (limit) => `at least ${limit} items`],
  ["maxItems", (limit) => `at most ${limit} items`],
  ["uniqueItems", (limit) => (limit === true ? "no item twice" : "")],
];

/** An optional value has its limits in one of its alternatives. */
function limitsOf(schema: Record<string, unknown>, root: unknown): string {
  const alternatives = [schema.anyOf, schema.oneOf].find(Array.isArray) ?? [];
  const places = [schema, ...alternatives.map((one) => resolved(one, root))];
  const words = places.flatMap((place) =>
    limits.map(([keyword, say]) => (place[keyword] === undefined ? "" : say(place[keyword]))),
  );
  return [...new Set(words.filter((word) => word !== ""))].join(", ");
}

/** A schema with what its `$ref` and `allOf` say; `source` is the schema that they lead to. */
function resolved(schema: unknown, root: unknown, depth = 0): Record<string, unknown> & { source: unknown } {
  if (!isObject(schema) || depth > maxDepth) return { source: schema };
  const { $ref, allOf } = schema;
  const target = typeof $ref === "string" ? lookUp($ref, root) : undefined;
  const parts = [target, ...(Array.isArray(allOf) ? allOf : [])].map((part) => resolved(part, root, depth + 1));
  // What stands beside a reference says more of this place than what it leads to.
  const all = [...parts, { ...schema, source: target ?? schema }];
  return {
    ...Object.assign({}, ...all),
    source: parts.length === 1 && target !== undefined ? parts[0]?.source : schema,
    ...mergedProperties(all),
    required: all.flatMap(({ required }: Record<string, unknown>) => (Array.isArray(required) ? required : [])),
  };
}

function mergedProperties(all: readonly Record<string, unknown>[]) {
  const found = all.flatMap(({ properties }) => (isObject(properties) ? [properties] : []));
  return found.length === 0 ? {} : { properties: Object.assign({}, ...found) };
}

/** What a reference within the schema leads to. */
function lookUp(reference: string, root: unknown): unknown {
  return fragmentPath(reference)?.reduce<unknown>(
    (at, step) =>
      isObject(at) && Object.hasOwn(at, step) ? at[step] : Array.isArray(at) ? at[Number(step)] : undefined,
    root,
  );
}
