/** Generates what is committed under `gen` from `proto`, for every language whose tools are on this machine. */
import { generate, languages } from "./generated.ts";

for (const language of languages) generate(language);
