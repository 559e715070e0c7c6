/**
 * The lock file's entries for the optional packages (binaries for other platforms) that it should have and has not.
 *
 * @param {Record<string, LockEntry>} packages of package-lock.json
 * @returns {Record<string, LockEntry>}
 */
export function missingOptional(packages) {
  /** @type {Record<string, LockEntry>} */
  const missing = {};
  for (const { optionalDependencies, peerDependenciesMeta } of Object.values(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies ?? {})) {
      const path = `node_modules/${name}`;
      const isPinned = /^\d+\.\d+\.\d+/.test(version);
      if (packages[path] !== undefined || !isPinned || peerDependenciesMeta?.[name]) continue;
      missing[path] = { version, optional: true, ...platformOf(name) };
    }
  }
  return missing;
}

/**
 * @typedef {object} LockEntry
 * @property {string} [version]
 * @property {boolean} [optional]
 * @property {string[]} [os]
 * @property {string[]} [cpu]
 * @property {string[]} [libc]
 * @property {Record<string, string>} [optionalDependencies]
 * @property {Record<string, unknown>} [peerDependenciesMeta]
 */

const systems = [
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'win32',
];
const processors = [
  'arm64',
  'arm',
  'ia32',
  'loong64',
  'mips64el',
  'ppc64',
  'riscv64',
  's390x',
  'wasm32',
  'x64',
];

/**
 * What a binary package's name says of its platform: `@swc/core-linux-arm64-musl`, `@rolldown/binding-darwin-x64`.
 *
 * @param {string} name
 */
function platformOf(name) {
  const words = name.split(/[-/]/);
  const os = systems.filter((system) => words.includes(system));
  const cpu = processors.filter((processor) => words.includes(processor));
  const libc = words.some((word) => word.startsWith('musl'))
    ? ['musl']
    : words.includes('gnu')
      ? ['glibc']
      : [];
  return {
    ...(os.length > 0 ? { os } : {}),
    ...(cpu.length > 0 ? { cpu } : {}),
    ...(libc.length > 0 && os.includes('linux') ? { libc } : {}),
  };
}
