/** The step that finds, fetches or builds a Temporal CLI (for its dev server). */
import { existsSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { cacheFolder, platform } from './cache.mjs';
import { withLock } from './lock.mjs';
import {
  BuildProgress,
  buildTemporal,
  builtVersion,
  downloadTemporal,
  findDownload,
  sdkVersion,
} from './make-temporal-cli.mjs';
import { ask, atLeast } from './programs.mjs';
import { SetupProblem } from './set-up.mjs';
import { readToolsFile } from './tools-file.mjs';

/** The oldest server that has all that Colloquy uses (pausing of activities). */
const minimumServer = '1.28';

/** Go since this version fetches by itself the newer toolchain that go.mod asks for. */
const minimumGo = '1.21';

/**
 * @param {string} root
 * @param {NodeJS.ProcessEnv} [environment]
 * @returns {import('./set-up.mjs').Step}
 */
export function temporalCli(root, environment = process.env) {
  const chosen = environment.TEMPORAL_CLI_PATH || '';
  const madeFor = `TEMPORAL_CLI_PATH=${chosen}`;
  const cache = cacheFolder(environment);
  const downloaded = join(cache, `temporal-sdk-${sdkVersion(root)}-${platform}`, 'temporal');
  const built = join(cache, `temporal-${builtVersion}-${platform}`, 'temporal');
  /** The first of this user's cached ones that runs: one that was damaged is made again. */
  const cached = async () => {
    for (const file of [downloaded, built]) if (await runs(file)) return file;
    return null;
  };

  /** @param {string} result @param {string} [how] */
  const done = (result, how) => ({
    result,
    note: how === undefined ? result : `${result} (${how})`,
    madeFor,
  });

  return {
    name: 'Temporal CLI',
    key: 'temporal',
    async current() {
      const { temporal, madeFor: last } = readToolsFile(root, environment);
      return last?.temporal === madeFor && temporal !== undefined && (await runs(temporal))
        ? done(temporal)
        : null;
    },
    async plan() {
      const source = chooseSource({
        chosen: chosen === '' ? null : await versionOf(chosen),
        onPath: chosen === '' ? await firstOnPath(environment.PATH ?? '') : null,
        cached: await cached(),
      });
      if (source !== null) return { carryOut: async () => done(source.path, source.from) };

      const download = await findDownload(root);
      const canBuild = atLeast((await ask('go', ['version'])) ?? '', minimumGo);
      if (download === null && !canBuild) throw noSource;
      const progress = new BuildProgress();
      let building = false;
      return {
        progress: () => (building ? String(progress) : 'downloading the Temporal CLI'),
        announce:
          download === null
            ? 'building the Temporal CLI with Go (5 CPU minutes)'
            : 'downloading the Temporal CLI',
        carryOut: (onWait) =>
          withLock(
            join(cache, 'temporal.lock'),
            async () => {
              const meanwhile = await cached();
              if (meanwhile !== null) return done(meanwhile, 'made by another set-up');
              if (download !== null && (await downloadTemporal(download, downloaded)))
                return done(downloaded, 'downloaded');
              if (!canBuild) throw noSource;
              building = true;
              await buildTemporal(root, built, progress);
              return done(built, 'built with Go');
            },
            { onWait },
          ),
      };
    },
  };
}

/**
 * The CLI that is there already: the user's choice, else the one on PATH if its server is new enough, else the cached one;
 * null if there is none.
 *
 * @param {object} facts
 * @param {Found | null} facts.chosen TEMPORAL_CLI_PATH
 * @param {Found | null} facts.onPath the first `temporal` on PATH
 * @param {string | null} facts.cached
 * @returns {{ path: string, from?: string } | null}
 * @throws {SetupProblem} when the user's choice cannot be used: it is not silently replaced
 */
export function chooseSource({ chosen, onPath, cached }) {
  if (chosen !== null) {
    if (serverIsFit(chosen.words)) return { path: chosen.path, from: 'TEMPORAL_CLI_PATH' };
    throw new SetupProblem(
      `TEMPORAL_CLI_PATH names ${chosen.path}, which ${chosen.words === null ? 'does not run' : `is ${chosen.words.trim()}`}.`,
      `Point it at a Temporal CLI with server ${minimumServer} or newer, or unset it.`,
    );
  }
  if (onPath !== null && serverIsFit(onPath.words)) return { path: onPath.path, from: 'on PATH' };
  return cached === null ? null : { path: cached };
}

/** @typedef {{ path: string, words: string | null }} Found a program, and what it prints about its version (null: it does not run) */

const noSource = new SetupProblem(
  `There is no Temporal CLI (server ${minimumServer} or newer): none on PATH, its download (temporal.download) is out of reach, and no Go ${minimumGo} or newer is there to build it with.`,
  'One of: install the CLI (https://docs.temporal.io/cli, or brew install temporal); set TEMPORAL_CLI_PATH to one that you have; install Go (https://go.dev/dl, or apt install golang-go).',
);

/**
 * `temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)`
 *
 * @param {string | null} words
 */
function serverIsFit(words) {
  const server = /Server (\d[\d.]*)/.exec(words ?? '')?.[1];
  return server !== undefined && atLeast(server, minimumServer);
}

/**
 * Whether `path` is a Temporal CLI that runs. What it prints counts, because a shell runs an empty file without an error.
 *
 * @param {string} path
 */
async function runs(path) {
  return existsSync(path) && serverIsFit((await versionOf(path)).words);
}

/** @param {string} path @returns {Promise<Found>} */
async function versionOf(path) {
  return { path, words: await ask(path, ['--version']) };
}

/** @param {string} path */
async function firstOnPath(path) {
  const folder = path
    .split(delimiter)
    .find((entry) => isAbsolute(entry) && existsSync(join(entry, 'temporal')));
  return folder === undefined ? null : versionOf(join(folder, 'temporal'));
}
