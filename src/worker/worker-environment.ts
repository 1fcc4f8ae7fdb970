/** What a worker may see of the service's environment. Secrets of the service are not among it. */
const allowed = [
  /^PATH$/,
  /^HOME$/,
  /^USER$/,
  /^LOGNAME$/,
  /^SHELL$/,
  /^LANG$/,
  /^LANGUAGE$/,
  /^LC_/,
  /^TZ$/,
  /^TMPDIR$/,
  /^SSL_CERT_(FILE|DIR)$/,
  /^(REQUESTS|CURL)_CA_BUNDLE$/,
  /^NODE_EXTRA_CA_CERTS$/,
  /^LD_LIBRARY_PATH$/,
  /^(CUDA|NVIDIA)_/,
  /^(OMP|OPENBLAS|MKL)_/,
];

/** The variables that the operator passes on to plugins. */
export function passedVariables(
  environment: Readonly<Record<string, string | undefined>>,
  names: readonly string[],
): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]]])),
  );
}

/** The environment that plugin code starts with: the allow-list above and the names that the operator passes on. */
export function workerEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  passed: readonly string[],
): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && (passed.includes(name) || allowed.some((pattern) => pattern.test(name)))) {
      found[name] = value;
    }
  }
  return found;
}
