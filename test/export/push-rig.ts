/** Experiments that can be pushed, the stand-in of the hub, and the command. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from 'vitest';
import { type Push, pushExport } from '../../src/export/push.ts';
import { openHub } from '../../src/store/hub-access.ts';
import { openStore } from '../../src/store/store.ts';
import { colloquy } from '../cli/colloquy.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { writeExportableExperiment, writeModel } from './exportable-experiment.ts';
import type { HubStandIn } from './hub-answers.ts';
import { startHubStandIn } from './hub-stand-in.ts';

export const token = 'hf_secretOfAda';
export const repo = 'ada/sums';

/** Experiments `done` and `other`, of which agents 1 and 2 have learnt, and `whole`, of whole models; an empty hub for each test, of which ada's token is set. */
export async function pushRig() {
  const root = temporaryFolder();
  const home = temporaryFolder();
  const store = openStore(root);
  const hub = await startHubStandIn();
  afterAll(() => hub.close());
  beforeAll(async () => {
    const [first, second] = ['a'.repeat(64), 'b'.repeat(64)];
    writeModel(store, first, 'weights of agent 1');
    writeModel(store, second, 'weights of agent 2');
    const modelOf = (_: number, agent: number) => [first, second, null][agent - 1] ?? null;
    await writeExportableExperiment(store, 'done', { iterations: 2, modelOf });
    await writeExportableExperiment(store, 'other', { modelOf });
    writeModel(store, 'c'.repeat(64), 'all weights', null, 'full');
    await writeExportableExperiment(store, 'whole', { modelOf: () => 'c'.repeat(64) });
  });
  beforeEach(() => {
    for (const map of [hub.accounts, hub.repositories, hub.large]) map.clear();
    hub.accounts.set(token, { name: 'ada', role: 'write', owners: ['ada', 'lab'] });
    hub.accounts.set('hf_reader', { name: 'ada', role: 'read', owners: ['ada'] });
    Object.assign(hub, { fault: () => undefined, partBytes: 1 << 30 });
    hub.asked.splice(0);
    const set = { COLLOQUY_STORE: root, NO_COLOR: '1', HF_ENDPOINT: hub.url, HF_HOME: home, HF_TOKEN: token };
    for (const [name, value] of Object.entries(set)) vi.stubEnv(name, value);
    for (const name of ['HF_TOKEN_PATH', 'HUGGING_FACE_HUB_TOKEN', 'HF_HUB_OFFLINE', 'HF_HUB_DISABLE_XET'])
      vi.stubEnv(name, '');
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    // Nothing was sent that the hub would not know.
    expect(hub.wrong.splice(0)).toEqual([]);
  });
  const filesOf = (key = `models/${repo}`) =>
    hub.repositories.get(key)?.commits.at(-1)?.files ?? new Map<string, never>();
  return {
    root,
    home,
    hub,
    filesOf,
    textOf: (path: string, key?: string) => filesOf(key).get(path)?.content.toString() ?? '',
    commitsOf: (key = `models/${repo}`) => hub.repositories.get(key)?.commits ?? [],
    /** What was sent, without what was only asked for. */
    sends: () => hub.asked.filter((each) => /^(PUT|POST)/.test(each)),
    /** Faults for the first requests that match. */
    failing: (pattern: RegExp, times: number, fault: ReturnType<HubStandIn['fault']>): void => {
      let left = times;
      hub.fault = (request) => (pattern.test(request) && left-- > 0 ? fault : undefined);
    },
    /** A folder as an export leaves it. */
    anExport: async (files: Readonly<Record<string, string>>): Promise<string> => {
      const folder = join(root, `export-${(await readdir(root)).length}`);
      const hashes = Object.fromEntries(Object.entries(files).map(([path, text]) => [path, sha256(text)]));
      const manifest = JSON.stringify({ formatVersion: 1, experiment: 'done', files: hashes });
      for (const [path, text] of Object.entries({ ...files, 'colloquy-export.json': manifest })) {
        await mkdir(dirname(join(folder, path)), { recursive: true });
        await writeFile(join(folder, path), text);
      }
      return folder;
    },
  };
}

/** The command, which must not say the token. */
export async function push(...options: string[]) {
  const said = await colloquy('push', ...options);
  expect(`${said.out}${said.err}`).not.toContain(token);
  return said;
}

/** Pushes a folder. */
export async function pushed(folder: string) {
  const repository = { type: 'model', name: repo } as const;
  const what: Push = {
    repo: repository,
    folder,
    title: 'odd',
    description: '',
    isPrivate: false,
    replace: false,
  };
  return pushExport(await openHub(true, () => undefined), what, () => undefined);
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
