/** One option of a verb. Its flag is `--<name>`; its value is found under the name in camel case. */
export type Option = {
  readonly name: string;
  readonly description: string;
  /** The environment variable that is read where the flag is absent. */
  readonly env?: string;
  /** What help calls the value, for example `FILE`. */
  readonly value?: string;
} & (
  | { readonly type: "string"; readonly default?: string; readonly choices?: readonly string[] }
  | { readonly type: "integer" | "number"; readonly default?: number; readonly min?: number; readonly max?: number }
  | { readonly type: "boolean"; readonly default?: boolean }
  /** Milliseconds; the default and the bounds are written as on the command line, for example `30s`. */
  | { readonly type: "duration"; readonly default?: string; readonly min?: string; readonly max?: string }
  /** Bytes; the default is written as on the command line, for example `4MiB`. */
  | { readonly type: "bytes"; readonly default?: string }
  /** Given several times as a flag, with commas in the environment, as a sequence in a file. */
  | { readonly type: "list"; readonly default?: readonly string[] }
);

/** What a table's options are read to: undefined only where there is neither a value nor a default. */
export type OptionValues<T extends readonly Option[]> = {
  readonly [O in T[number] as CamelCase<O["name"]>]: ValueOf<O>;
};

type ValueOf<O extends Option> = O extends { type: "boolean" }
  ? boolean
  : O extends { type: "list" }
    ? readonly string[]
    : TextOrNumber<O> | (O extends { default: string | number } ? never : undefined);

type TextOrNumber<O extends Option> = O extends { choices: readonly (infer C)[] }
  ? C
  : O extends { type: "string" }
    ? string
    : number;

type CamelCase<S extends string> = S extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : S;

/** A value as it was found, not checked yet. */
export interface FoundValue {
  name: string;
  texts: readonly string[];
  /** For messages: the flag, the variable, or the file and line. */
  source: string;
}
