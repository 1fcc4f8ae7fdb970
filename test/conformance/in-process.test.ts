import { code } from "./code.ts";
import { directories } from "./directories.ts";
import { startInProcess } from "./embedded.ts";
import { conformance } from "./engine.ts";
import { environment } from "./environment.ts";
import { failures } from "./failures.ts";
import { loading } from "./loading.ts";
import { params } from "./params.ts";
import { refusedEnds, strays } from "./strays.ts";
import { values } from "./values.ts";

const groups = [values, params, failures, environment, directories, code, loading, strays, refusedEnds];

conformance("in process", groups, startInProcess, { only: /javascript, (local|schema)/ });
