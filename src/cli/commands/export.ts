import { join, resolve } from 'node:path';
import { InvalidArgumentError } from '@commander-js/extra-typings';
import { closest } from 'fastest-levenshtein';
import { exportDatasets } from '../../export/datasets.ts';
import { distilledModel } from '../../algorithm/agents.ts';
import {
  distilledModelOf,
  type FinishedIteration,
  finishedIteration,
  lastAcceptedNight,
  type WhichModel,
} from '../../export/finished-iteration.ts';
import { exportMerged, exportModels } from '../../export/models.ts';
import type { HubPlace } from '../../export/licences.ts';
import { type DatasetFormat, datasetFormats } from '../../export/rows.ts';
import { count } from '../../text/figures.ts';
import { openStore, type Store } from '../../store/store.ts';
import { createTasks } from '../../questions/open-task.ts';
import { experimentName, iterationNumber, seriesName } from '../arguments.ts';
import { command, jsonOption } from '../command.ts';
import { UsageError } from '../../errors.ts';
import { printJson, shortPath } from '../terminal.ts';

/** `colloquy export NAME` */
export const exportCommand = command('export', [
  "colloquy export quickstart                      # the last iteration's datasets, as TRL takes them",
  'colloquy export quickstart --iteration 1 --format openai',
  'colloquy export quickstart --format dpo --output ~/preferences',
  'colloquy export quickstart --models             # LoRA adapters as peft and vLLM take them, or whole models',
  'colloquy export quickstart --merge              # one whole model with its tokenizer, for any server',
  'colloquy export quickstart --distilled          # the one model that the group was distilled into; with --merge as a whole model',
  'colloquy export --series nightly --models       # the agents of the last accepted night',
])
  .argument('[name]', "the experiment's name", experimentName)
  .option(
    '--series <name>',
    'take the last accepted night of this series instead of an experiment (default: no series)',
    seriesName,
  )
  .option(
    '--iteration <i>',
    'take this iteration (default: the last of a finished experiment, or the best by its guard)',
    iterationNumber,
  )
  .option(
    '--format <format>',
    `write datasets in this format: ${datasetFormats.join(', ')} (default: trl)`,
    datasetFormat,
  )
  .option('--models', 'write the models of all agents instead of the datasets')
  .option(
    '--merge',
    "write one agent's model merged into the base model; with a GGUF file where llama.cpp's converter is on PATH",
  )
  .option(
    '--distilled',
    'write the one model that the group was distilled into, instead of those of the agents',
  )
  .option('--agent <n>', 'with --merge: take the model of this agent (default: 1)', agentNumber)
  .option(
    '--role <role>',
    'with --merge: take its model of this role, e.g. critic (default: the one of first answers)',
  )
  .option('--output <folder>', 'make this folder (default: one in runs/NAME/export)')
  .addOption(jsonOption)
  .action(async (named, options) => {
    const { series, iteration, format, models, merge, distilled, agent, role, output, json } = options;
    const what = whatToExport({ format, models, merge, distilled });
    if (merge === undefined && (agent !== undefined || role !== undefined))
      throw new UsageError('--agent and --role choose the model for --merge: give --merge too.', 'export');
    if (distilled && (agent !== undefined || role !== undefined))
      throw new UsageError('The distilled model is no agent’s: leave --agent and --role out.', 'export');
    if (output === '') throw new UsageError('--output needs a folder.', 'export');
    const store = openStore();
    const experiment = await experimentOf('export', store, named, series);
    const done = await finishedIteration(store, experiment, iteration);
    const whose = distilled ? 'distilled' : `agent-${agent ?? 1}${role === undefined ? '' : `-${role}`}`;
    const name = what === 'merged' ? `merged-${whose}` : what;
    const usual = done.files.exported(`iteration-${done.iteration}-${name}`).name;
    const folder = resolve(output ?? join(store.local, ...usual.split('/')));
    const written = await write(what, store, done, folder, {
      agent: agent ?? 1,
      role: distilled ? distilledModel : role,
    });
    if (json) printJson({ experiment, iteration: done.iteration, format: what, folder, ...written.facts });
    else console.log([...written.lines, shortPath(folder)].join('\n'));
  });

export type What = DatasetFormat | 'models' | 'distilled' | 'merged';

/** @throws UsageError when two are asked for at once */
export function whatToExport(asked: {
  readonly format?: DatasetFormat | undefined;
  readonly models?: true | undefined;
  readonly merge?: true | undefined;
  readonly distilled?: true | undefined;
}): What {
  const all: What[] = [
    ...(asked.format === undefined ? [] : [asked.format]),
    ...(asked.models ? (['models'] as const) : []),
    ...(asked.merge ? (['merged'] as const) : []),
    // With --merge it says which model is merged.
    ...(asked.distilled && !asked.merge ? (['distilled'] as const) : []),
  ];
  const [first = 'trl', second] = all;
  if (second === undefined) return first;
  if (asked.format !== undefined)
    throw new UsageError(
      `--format is for datasets: it cannot be combined with ${asked.models ? '--models' : asked.merge ? '--merge' : '--distilled'}.`,
      'export',
    );
  throw new UsageError(
    `--models writes the models of all agents, and ${asked.merge ? '--merge one whole model' : '--distilled the one model of the group'}: give only one of them.`,
    'export',
  );
}

/** @param of the command. @throws UsageError, NoNightAccepted */
export async function experimentOf(
  of: 'export' | 'push',
  store: Store,
  name: string | undefined,
  series: string | undefined,
): Promise<string> {
  if (name !== undefined && series === undefined) return name;
  if (name === undefined && series !== undefined) return lastAcceptedNight(store, series);
  throw new UsageError('Name an experiment, or a series with --series.', of);
}

/** The parser of `--agent`. */
export function agentNumber(given: string): number {
  if (/^[1-9]\d?$/.test(given)) return Number(given);
  throw new InvalidArgumentError('Agents are numbered from 1.');
}

/** The parser of `--format`. */
export function datasetFormat(given: string): DatasetFormat {
  const format = datasetFormats.find((each) => each === given);
  if (format !== undefined) return format;
  throw new InvalidArgumentError(
    `The formats are ${datasetFormats.join(', ')}. Did you mean ${closest(given, [...datasetFormats])}?`,
  );
}

/** What was written: for `--json`, and as lines. */
type Written = { readonly facts: object; readonly lines: readonly string[] };

async function write(
  what: What,
  store: Store,
  done: FinishedIteration,
  folder: string,
  which: WhichModel,
): Promise<Written> {
  if (what === 'models') return writeModels(store, done, folder);
  if (what === 'distilled') return writeModels(store, done, folder, [await distilledModelOf(done)]);
  if (what !== 'merged') return writeDatasets(what, done, folder);
  const { model, gguf, whyNoGguf } = await exportMerged(store, done, which, folder);
  const lines = [`${model}: a whole model`, gguf ?? `no GGUF file: ${whyNoGguf}`];
  return { facts: { model, gguf, whyNoGguf }, lines };
}

export async function writeDatasets(
  format: DatasetFormat,
  done: FinishedIteration,
  folder: string,
  hub?: HubPlace,
): Promise<Written> {
  const tasks = createTasks();
  try {
    const { answers } = tasks.open(done.config.task);
    const files = await exportDatasets(format, done, folder, answers, hub);
    const lines = files.map(({ file, rows }) =>
      rows === 0 ? `${file}: no rows, left out` : `${file}: ${count(rows)} rows`,
    );
    return { facts: { files }, lines };
  } finally {
    await tasks.close();
  }
}

async function writeModels(
  store: Store,
  done: FinishedIteration,
  folder: string,
  wanted?: Parameters<typeof exportModels>[3],
): Promise<Written> {
  const { models, stillBase } = await exportModels(store, done, folder, wanted);
  const lines = [...models, ...stillBase.map((name) => `${name}: still the base model, nothing to copy`)];
  return { facts: { models, stillBase }, lines };
}
