/** The oldest version of Node that has what this program uses, as `engines` in package.json says. */
const oldest = 24;

/** What to say where Node is too old; undefined where it is not. Imports nothing, so that every Node can load it. */
export function nodeTooOld(version: string): string | undefined {
  if (Number.parseInt(version, 10) >= oldest) return undefined;
  return `plugin-runner needs Node ${oldest} or newer, and this is ${version}: install a newer one, or one for this directory alone with \`npm install node@${oldest}\`.`;
}
