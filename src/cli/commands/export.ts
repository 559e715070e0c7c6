import { resolve } from 'node:path';
import { InvalidArgumentError } from '@commander-js/extra-typings';
import { closest } from 'fastest-levenshtein';
import { exportDatasets } from '../../export/datasets.ts';
import { exportModels } from '../../export/models.ts';
import { type DatasetFormat, datasetFormats } from '../../export/rows.ts';
import { type FinishedIteration, finishedIteration } from '../../export/finished-iteration.ts';
import { count } from '../../text/figures.ts';
import { openStore, type Store } from '../../store/store.ts';
import { createTasks } from '../../questions/open-task.ts';
import { experimentName, iterationNumber } from '../arguments.ts';
import { command, jsonOption } from '../command.ts';
import { UsageError } from '../errors.ts';
import { printJson, shortPath } from '../terminal.ts';

/** `colloquy export NAME` */
export const exportCommand = command(
  'export',
  "write an iteration's datasets or models for other programs, with a card",
  [
    "colloquy export quickstart                      # the last iteration's datasets, as TRL takes them",
    'colloquy export quickstart --iteration 1 --format openai',
    'colloquy export quickstart --format dpo --output ~/preferences',
    'colloquy export quickstart --models             # LoRA adapters, as peft and vLLM take them',
  ],
)
  .argument('<name>', "the experiment's name", experimentName)
  .option('--iteration <i>', 'which iteration (default: the last of a finished experiment)', iterationNumber)
  .option('--format <format>', `of the datasets: ${datasetFormats.join(', ')} (default: trl)`, datasetFormat)
  .option('--models', 'the models instead of the datasets')
  .option('--output <folder>', 'the folder to make (default: one in runs/NAME/export)')
  .addOption(jsonOption)
  .action(async (experiment, { iteration, format, models, output, json }) => {
    if (models && format !== undefined)
      throw new UsageError('--format is for datasets: it does not go with --models.', 'export');
    if (output === '') throw new UsageError('--output needs a folder.', 'export');
    const what = models ? 'models' : (format ?? 'trl');
    const store = openStore();
    const done = await finishedIteration(store, experiment, iteration);
    const folder = resolve(output ?? done.files.exported(`iteration-${done.iteration}-${what}`).where);
    const written = await (what === 'models'
      ? writeModels(store, done, folder)
      : writeDatasets(what, done, folder));
    if (json) printJson({ experiment, iteration: done.iteration, format: what, folder, ...written.facts });
    else console.log([...written.lines, shortPath(folder)].join('\n'));
  });

/** The parser of `--format`. */
function datasetFormat(given: string): DatasetFormat {
  const format = datasetFormats.find((each) => each === given);
  if (format !== undefined) return format;
  throw new InvalidArgumentError(
    `The formats are ${datasetFormats.join(', ')}. Did you mean ${closest(given, [...datasetFormats])}?`,
  );
}

/** What was written: for `--json`, and as lines. */
type Written = { readonly facts: object; readonly lines: readonly string[] };

async function writeDatasets(
  format: DatasetFormat,
  done: FinishedIteration,
  folder: string,
): Promise<Written> {
  const tasks = createTasks();
  try {
    const files = await exportDatasets(format, done, folder, tasks.open(done.config.task).answers);
    const lines = files.map(({ file, rows }) =>
      rows === 0 ? `${file}: no rows, left out` : `${file}: ${count(rows)} rows`,
    );
    return { facts: { files }, lines };
  } finally {
    await tasks.close();
  }
}

async function writeModels(store: Store, done: FinishedIteration, folder: string): Promise<Written> {
  const { models, stillBase } = await exportModels(store, done, folder);
  const lines = [...models, ...stillBase.map((name) => `${name}: still the base model, nothing to copy`)];
  return { facts: { models, stillBase }, lines };
}
