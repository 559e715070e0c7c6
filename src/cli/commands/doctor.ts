/** `colloquy doctor`, which shows what this machine has and what is missing, and `colloquy setup`, which installs it. */
import { join } from 'node:path';
import { colloquy } from '../../config/installation.ts';
import { exitCodes } from '../../errors.ts';
import { foldersBelow, placeIn } from '../../store/blobs.ts';
import { isUnreadable } from '../../store/errors.ts';
import { readSeal, sealedBytesOf } from '../../store/files/sealed.ts';
import { filesInManifest } from '../../store/models.ts';
import { readLedger } from '../../store/series.ts';
import { openStore, type Store } from '../../store/store.ts';
import { counted, sizeText } from '../../text/figures.ts';
import { terminalSafe } from '../../text/safe-text.ts';
import type { Finding, OnLook } from '../../workers/machine.ts';
import { experimentFromConfig } from '../arguments.ts';
import { command, jsonOption, setExitCode } from '../command.ts';
import { connect } from '../server/connect.ts';
import { colours, printJson } from '../terminal.ts';
import { runSetUp } from '../server/local-server.ts';

/** `colloquy doctor [CONFIG] [key=value ...]` */
export const doctor = command('doctor', [
  'colloquy doctor',
  'colloquy doctor my.yaml model.endpoint=gpu',
  'colloquy doctor --store        # compares every file of the store with its recorded hash, e.g. after it was restored',
  'Its exit code is 1 when something that is needed is missing. It does not look at questions: validate does.',
])
  .argument('[config]', 'a YAML or JSON file, or the name of one in configs')
  .argument('[overrides...]', 'settings to change, as key=value')
  .option('--store', 'only check that everything in the store is whole; changes nothing')
  .addOption(jsonOption)
  .action(async (config, overrides, { json, store: ofStore }) => {
    const store = openStore();
    if (ofStore === true) return printStoreCheck(store, json);
    // Imported only here: it loads the engines' code.
    const { examineMachine, examineNeeds } = await import('../../workers/machine.ts');
    const experiment = config === undefined ? null : experimentFromConfig(config, overrides).config;
    const onLook = announceSlow((line) => console.error(line));
    const [found, temporal] = await Promise.all([examineMachine(store, onLook), temporalServer()]);
    const machine = [...found, temporal];
    const needs = experiment === null ? [] : await examineNeeds(experiment, store, onLook);
    const missing = [...machine, ...needs].filter(({ state }) => state === 'missing');
    if (missing.length > 0) setExitCode(exitCodes.failed);
    if (json) return printJson({ machine, needs });
    console.log(listText('This machine', machine));
    if (config !== undefined) console.log(`\n${listText(`What ${config} needs`, needs)}`);
    const lacks = missing.map(({ what }) => what).join(', ');
    console.log(
      missing.length > 0
        ? `\nNeeded, and missing or unusable: ${lacks}. What to do stands beside each of them.`
        : `\nNothing that is needed is missing.${config === undefined ? ` For an experiment: ${colloquy} doctor CONFIG` : ` Its questions were not looked at: ${colloquy} validate reads them.`}`,
    );
  });

async function printStoreCheck(store: Store, json: true | undefined): Promise<void> {
  const check = await checkStore(store);
  if (check.faults.length > 0) setExitCode(exitCodes.failed);
  if (json) return printJson({ store: store.root, ...check });
  for (const { name, problem } of check.faults) console.log(terminalSafe(`${name}: ${problem}`));
  const read = `${counted(check.files, 'file')}, ${sizeText(check.bytes)}, in ${store.root}`;
  console.log(
    check.faults.length === 0
      ? `Whole: ${read}.`
      : `${counted(check.faults.length, 'fault')} in ${read}. An experiment that needs what is damaged makes it again when it is started; the questions, configs and ledgers have to come from a backup.`,
  );
}

/** What was compared, and what is not as it was written. */
export type StoreCheck = {
  /** Sealed files, and files of models. */
  readonly files: number;
  readonly bytes: number;
  readonly faults: readonly { readonly name: string; readonly problem: string }[];
};

/** Reads all of a store that has a seal or stands in a model's manifest, and the ledgers of its series. For a store that was restored. */
export async function checkStore(store: Store): Promise<StoreCheck> {
  const faults: { name: string; problem: string }[] = [];
  let [files, bytes] = [0, 0];
  const compare = async (name: string, expected: { sha256: string; bytes: number } | null): Promise<void> => {
    const found = expected && (await sealedBytesOf(placeIn(store.blobs, name)));
    files += 1;
    bytes += found?.bytes ?? 0;
    if (found === null)
      faults.push({ name, problem: expected === null ? 'its seal cannot be read' : 'is gone' });
    else if (found.bytes !== expected?.bytes || found.sha256 !== expected.sha256)
      faults.push({ name, problem: 'does not have the bytes that were written' });
  };
  for (const name of (await store.blobs.list('')).filter((each) => !wasSetAside(each))) {
    if (name.endsWith('.ref.json')) {
      const sealed = name.slice(0, -'.ref.json'.length);
      await compare(sealed, await orNull(readSeal(placeIn(store.blobs, sealed))));
    }
    const [, model] = /^models\/([0-9a-f]{64})\/manifest\.json$/.exec(name) ?? [];
    if (model === undefined) continue;
    const inManifest = await filesInManifest(join(store.local, 'models', model)).catch(() => null);
    if (inManifest === null) faults.push({ name, problem: 'cannot be read' });
    for (const [file, expected] of Object.entries(inManifest ?? {}))
      await compare(`models/${model}/${file}`, expected);
  }
  for (const series of (await foldersBelow(store.blobs, 'series/', /^([^/]+)\/night-/)).keys()) {
    try {
      await readLedger(store, series);
    } catch (error) {
      faults.push({
        name: `series/${series}`,
        problem: error instanceof Error ? error.message : String(error),
      });
    }
  }
  return { files, bytes, faults };
}

async function orNull<Value>(reading: Promise<Value>): Promise<Value | null> {
  try {
    return await reading;
  } catch (error) {
    if (isUnreadable(error)) return null;
    throw error;
  }
}

const wasSetAside = (name: string): boolean => name.split('/').some((part) => /\.damaged-\d+$/.test(part));

/** Some searches take long, because a vLLM loads PyTorch to say its version. Shows what is being looked for, and how long it took. */
export function announceSlow(show: (line: string) => void): OnLook {
  return (what, found) => {
    const began = Date.now();
    const seconds = () => Math.round((Date.now() - began) / 1000);
    let announced = false;
    const announce = (): void => {
      announced = true;
      show(`looking for ${what}, for ${seconds()} s so far`);
    };
    const timers = [setTimeout(announce, 3_000), setInterval(announce, 20_000)];
    void found.then(({ state }) => {
      timers.forEach(clearTimeout);
      if (announced) show(`looked for ${what}: ${state} after ${seconds()} s`);
    });
  };
}

/** `run` and `quickstart` start a server where none answers, so it is not needed. */
async function temporalServer(): Promise<Finding> {
  const what = 'Temporal server';
  try {
    const temporal = await connect('2s');
    await temporal.close();
    return { what, found: `${temporal.address}, namespace ${temporal.namespace}`, state: 'ok' };
  } catch {
    return {
      what,
      found: `none answers. Start one, with a worker: ${colloquy} dev. quickstart and study start their own`,
      state: 'absent',
    };
  }
}

function listText(title: string, findings: readonly Finding[]): string {
  const { bold, red, green, dim } = colours();
  const mark = { ok: green('     ok'), absent: dim(' absent'), missing: red('missing') };
  const width = Math.max(...findings.map(({ what }) => what.length));
  const lines = findings.map(
    ({ what, found, state }) => `  ${mark[state]}  ${what.padEnd(width)}  ${terminalSafe(found)}`,
  );
  return [bold(title), ...lines].join('\n');
}

/** `colloquy setup` */
export const setup = command('setup', [
  'colloquy setup            # does nothing when nothing is missing',
  'colloquy setup --qlora    # also bitsandbytes, which fine_tune.method: qlora needs',
  'Commands that need them set up what is missing. Everything is kept in ~/.cache/colloquy, or $XDG_CACHE_HOME/colloquy.',
])
  .option('--qlora', 'also install what base models in 4 bits need')
  .action(async ({ qlora }) => {
    await runSetUp('setup.mjs');
    if (qlora) await runSetUp('setup-qlora.mjs');
  });
