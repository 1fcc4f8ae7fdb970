import { startEmbedded } from "./embedded.ts";
import { conformance } from "./engine.ts";
import { output } from "./output.ts";

// Apart from the others, which would wait for it.
conformance("embedded", [output], startEmbedded);
