import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/** A JSON Schema (2020-12). Every keyword is allowed; those below are the ones that types are derived from. */
export interface JsonSchema {
  readonly type?: SchemaType | readonly SchemaType[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema | boolean;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly description?: string;
  readonly [keyword: string]: unknown;
}

export type SchemaType = "object" | "array" | "string" | "number" | "integer" | "boolean" | "null";

/**
 * The type of the values that a schema accepts, once defaults are filled in. Derived from `const`, `enum`, `type`,
 * `properties`, `required`, `default` and `items`; whatever else a schema says leaves `JsonValue`.
 */
export type FromSchema<S> = S extends { const: infer C }
  ? Mutable<C>
  : S extends { enum: readonly (infer E)[] }
    ? Mutable<E>
    : S extends { type: readonly (infer T)[] }
      ? OfType<T, S>
      : S extends { type: infer T }
        ? OfType<T, S>
        : JsonValue;

/** The type of an action's params: always an object. */
export type ParamsFrom<S> = FromSchema<S> extends infer P ? (P extends JsonObject ? P : JsonObject) : never;

type OfType<T, S> = T extends "object"
  ? ObjectFrom<S>
  : T extends "array"
    ? ArrayFrom<S>
    : T extends "string"
      ? string
      : T extends "number" | "integer"
        ? number
        : T extends "boolean"
          ? boolean
          : T extends "null"
            ? null
            : JsonValue;

type ArrayFrom<S> = S extends { items: infer I } ? FromSchema<I>[] : JsonValue[];

type ObjectFrom<S> = S extends { properties: infer P }
  ? Flat<
      { -readonly [K in keyof P as K extends PresentKeys<S, P> ? K : never]: FromSchema<P[K]> } & {
        -readonly [K in keyof P as K extends PresentKeys<S, P> ? never : K]?: FromSchema<P[K]>;
      }
    >
  : JsonObject;

type PresentKeys<S, P> = RequiredKeys<S> | { [K in keyof P]: P[K] extends { default: unknown } ? K : never }[keyof P];

type RequiredKeys<S> = S extends { required: readonly (infer R)[] } ? R : never;

type Flat<T> = { [K in keyof T]: T[K] };

type Mutable<T> = T extends string | number | boolean | null ? T : { -readonly [K in keyof T]: Mutable<T[K]> };
