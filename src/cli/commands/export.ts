import { join, resolve } from 'node:path';
import { closest } from 'fastest-levenshtein';
import { exportDatasets } from '../../export/datasets.ts';
import { type FinishedIteration, finishedIteration } from '../../export/finished-iteration.ts';
import { exportModels } from '../../export/models.ts';
import { type DatasetFormat, datasetFormats } from '../../export/rows.ts';
import { openStore, type Store } from '../../store/store.ts';
import { createGrader } from '../../grading/grader.ts';
import { count } from '../../text/figures.ts';
import { command, jsonFlag, nameArgument } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { experimentName } from '../experiment-argument.ts';
import { iterationOption } from '../iteration-option.ts';
import { printJson } from '../print-json.ts';
import { shortPath } from '../tell-ending.ts';
import { UsageError } from '../usage-error.ts';

/** `colloquy export NAME` */
export const exportCommand = command({
  name: 'export',
  description: "write an iteration's datasets or models for other programs, with a card",
  examples: [
    "colloquy export quickstart                      # the last iteration's datasets, as TRL takes them",
    'colloquy export quickstart --iteration 1 --format openai',
    'colloquy export quickstart --format dpo --output ~/preferences',
    'colloquy export quickstart --models             # LoRA adapters, as peft and vLLM take them',
  ],
  args: {
    ...nameArgument,
    iteration: {
      type: 'string',
      description: 'which iteration (default: the last of a finished experiment)',
      valueHint: 'i',
    },
    format: {
      type: 'string',
      description: 'of datasets (default: trl)',
      valueHint: datasetFormats.join('|'),
    },
    models: { type: 'boolean', description: 'the models instead of the datasets', default: false },
    output: {
      type: 'string',
      description: 'the folder to make (default: one in runs/NAME/export)',
      valueHint: 'folder',
    },
    ...jsonFlag,
  },
  run: async ({ name, iteration, format, models, output, json }) => {
    if (models && format !== undefined)
      throw new UsageError('--format is for datasets: it does not go with --models.', 'export');
    if (output === '') throw new UsageError('--output needs a folder.', 'export');
    const what = models ? 'models' : formatOption(format);
    const store = openStore();
    const experiment = experimentName(name);
    const done = await finishedIteration(store, experiment, iterationOption(iteration, 'export'));
    const folder = resolve(
      output ?? join(done.files.folder, 'export', `iteration-${done.iteration}-${what}`),
    );
    const told = await (what === 'models'
      ? writeModels(store, done, folder)
      : writeDatasets(what, done, folder));
    if (json) printJson({ experiment, iteration: done.iteration, format: what, folder, ...told.facts });
    else console.log([...told.lines, shortPath(folder)].join('\n'));
    return exitCodes.ok;
  },
});

/** @throws UsageError naming the nearest format */
function formatOption(given = 'trl'): DatasetFormat {
  const format = datasetFormats.find((each) => each === given);
  if (format !== undefined) return format;
  throw new UsageError(
    `There is no format "${given}", only ${datasetFormats.join(', ')}. Did you mean ${closest(given, [...datasetFormats])}?`,
    'export',
  );
}

type Told = { readonly facts: object; readonly lines: readonly string[] };

async function writeDatasets(format: DatasetFormat, done: FinishedIteration, folder: string): Promise<Told> {
  const grader = createGrader();
  try {
    const files = await exportDatasets(format, done, folder, (a, b) => grader.equal(a, b));
    const lines = files.map(({ file, rows }) =>
      rows === 0 ? `${file}: no rows, left out` : `${file}: ${count(rows)} rows`,
    );
    return { facts: { files }, lines };
  } finally {
    await grader.close();
  }
}

async function writeModels(store: Store, done: FinishedIteration, folder: string): Promise<Told> {
  const { models, stillBase } = await exportModels(store, done, folder);
  const lines = [...models, ...stillBase.map((name) => `${name}: still the base model, nothing to copy`)];
  return { facts: { models, stillBase }, lines };
}
