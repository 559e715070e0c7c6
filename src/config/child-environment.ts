/**
 * Which environment variables do the programs get that a worker starts: engine, trainer, Temporal's dev server? Engine and trainer read
 * models and questions from strangers, and what they print is kept in logs. A list of the names of secrets is never complete, so this is
 * the list of what they need.
 */

/**
 * By name, without regard to case: proxies are written both ways. The hub's token is among them: with it a program downloads the model
 * that it has to load.
 */
const needed = new Set(
  `PATH HOME USER LOGNAME SHELL TERM TZ LANG LANGUAGE TMPDIR TMP TEMP NO_COLOR
  XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME XDG_RUNTIME_DIR XDG_STATE_HOME
  LD_LIBRARY_PATH LD_PRELOAD DYLD_LIBRARY_PATH MALLOC_ARENA_MAX MALLOC_CONF GOMAXPROCS GOMEMLIMIT
  PYTHONPATH PYTHONHOME PYTHONUNBUFFERED PYTHONHASHSEED PYTHONFAULTHANDLER PYTHONWARNINGS VIRTUAL_ENV CONDA_PREFIX
  HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
  HF_HOME HF_ENDPOINT HF_TOKEN HF_TOKEN_PATH HUGGING_FACE_HUB_TOKEN TOKENIZERS_PARALLELISM`.split(/\s+/),
);

/** Settings of libraries, of which there are too many to list. */
const families =
  /^(?:LC|CUDA|CUBLAS|CUDNN|NVIDIA|NCCL|GLOO|HIP|HSA|ROCR|MIOPEN|TORCH|TORCHINDUCTOR|PYTORCH|TRITON|OMP|GOMP|KMP|MKL|OPENBLAS|HF_HUB|HF_DATASETS|TRANSFORMERS|VLLM)_/;

/** A name that may hold a secret: it is not passed on as the setting of a library. */
const mayBeSecret =
  /KEY|TOKEN|SECRET|PASS|PWD|AUTH|CREDENTIAL|COOKIE|SESSION|HEADERS|(?:^|_)PAT(?:_|$)|URL|URI/i;

/** Whether programs that a worker starts get this variable. */
function reachesPrograms(variable: string): boolean {
  return needed.has(variable.toUpperCase()) || (families.test(variable) && !mayBeSecret.test(variable));
}

/** The part of an environment that programs get. */
export function childEnvironment(environment: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => reachesPrograms(name)));
}
