/**
 * Preloaded in processes that run plugins, and so in the threads and forks that these start: there, too, code of the
 * plugin finds `plugin-runner` and its packages.
 */
import { bindModules, inheritedVariable } from "./module-hooks.ts";

const given = process.env[inheritedVariable];
if (given !== undefined) bindModules(JSON.parse(given));
