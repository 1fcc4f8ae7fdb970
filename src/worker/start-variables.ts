/**
 * Variables that are read once, when a process starts or loads a library, by the interpreter, the C library or what
 * computes. To set them later has no effect, so a process has to be started with them.
 */
const patterns = [
  /^TZ(DIR)?$/,
  /^LANG(UAGE)?$/,
  /^LC_/,
  /^(LD|DYLD)_/,
  /^(MALLOC_|MALLOC$|GLIBC_TUNABLES$)/,
  /^TMPDIR$/,
  /^PYTHON/,
  /^NODE_(?!ENV$)/,
  /^UV_THREADPOOL_SIZE$/,
  /^OPENSSL_CONF$/,
  /^(OMP|KMP|GOMP|OPENBLAS|MKL|BLIS|VECLIB|NUMEXPR|NUMBA)_/,
  /^(CUDA|CUBLAS|CUDNN|NCCL|NVIDIA|HIP|ROCR)_/,
  /^(TF|XLA|JAX|KERAS|TORCH|PYTORCH)_/,
  /^MPL(BACKEND|CONFIGDIR)$/,
];

/** Those among variables that a process has to be started with. */
export function startVariables(variables: Readonly<Record<string, string>>): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(variables)) {
    if (patterns.some((pattern) => pattern.test(name))) found[name] = value;
  }
  return found;
}
