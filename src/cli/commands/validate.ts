import { stringify } from 'yaml';
import { budgetOutlook, type Estimate, estimate } from '../../config/estimate.ts';
import { type Preset, presets as experimentPresets } from '../../config/resolve.ts';
import { studyPresets } from '../../config/study.ts';
import { type ModelNeeds, neededByAll, type NeededModel, neededModels } from '../../config/model-needs.ts';
import { openStore } from '../../store/store.ts';
import { count, counted, duration, listed, sizeText } from '../../text/figures.ts';
import { terminalSafe } from '../../text/safe-text.ts';
import { experimentFromConfig, studyFromConfig } from '../arguments.ts';
import { command, jsonOption } from '../command.ts';
import { type Checked, checkExperiment } from '../experiment/check.ts';
import { colours, printJson, shortPath } from '../terminal.ts';

/** `colloquy validate CONFIG [key=value ...]` */
export const validate = command('validate', [
  'colloquy validate quickstart',
  'colloquy validate my.yaml iterations=5 task.train_size=100',
  `colloquy validate --study laptop 'seeds=[0,1,2]'     # a study, and each of its experiments`,
  'An endpoint or a trainer that this machine’s configuration does not have is an error here, although a worker elsewhere may have it.',
])
  .argument('<config>', 'a YAML or JSON file, or the name of one in configs')
  .argument('[overrides...]', 'settings to change, as key=value')
  .option('--study', 'take it as the config of a study')
  .addOption(jsonOption)
  .action(async (path, overrides, { study, json }) => {
    if (study) return validateStudy(path, overrides, json);
    const { name, config } = experimentFromConfig(path, overrides);
    const checked = await checkExperiment(config, openStore());
    if (json) return printJson({ name, config, ...checked });
    console.log(`# experiment: ${name}\n${stringify(config).trimEnd()}`);
    // Comments, so that all of it is still a config.
    for (const line of [...checkedText(checked), ...budgetOutlook(config.budget ?? {}, checked.estimate)])
      console.log(`# ${terminalSafe(line)}`);
  });

function checkedText({ questions, endpoints, estimate: expected, warnings }: Checked): string[] {
  const transfer = Object.entries(questions.ofTransfer).map(([task, size]) => `${count(size)} of ${task}`);
  const { answers, tokens, seconds, time, bytes, steps, models, cost, trainedTokens } = expected;
  return [
    `questions: ${count(questions.train)} to train on, ${count(questions.heldOut)} held out${questions.validation === undefined ? '' : `, ${count(questions.validation)} for validation`}${transfer.length > 0 ? `, ${listed(transfer)}` : ''}`,
    ...questions.leftOut.map(
      (each) => `left out: ${count(each.count)} ${each.what}, e.g. ${each.examples[0] ?? ''}`,
    ),
    ...endpoints.map(({ name, kind, model }) => `endpoint: ${name} (${kind}): ${model}`),
    `about ${count(answers)} answers: ${count(tokens.read)} tokens read, ${count(tokens.written)} written; ${count(steps)} optimiser steps`,
    `about ${sizeText(bytes)} of disk for debates and rows`,
    ...(cost === null
      ? []
      : [
          `cost of the fine-tunes: about ${price(cost.cost)}, for about ${count(trainedTokens)} tokens at ${price(cost.pricePerMillionTokens)} a million ` +
            `(price_per_million_tokens of the trainer ${cost.trainer}). It may be wrong by a factor of two or three: no answer is known yet, and the texts are counted without a tokenizer (docs/hosted.md)`,
        ]),
    ...models.flatMap((model) => modelText(model, models.length)),
    seconds === null
      ? `time: ${timeText(models)}; this estimate gets better when an experiment with ${models.length === 1 ? 'this model' : 'these models'} has finished in this store`
      : `about ${duration(seconds)}, at the speed of the experiment ${time?.from}`,
    ...warnings.map(({ says, remedy }) => `warning: ${says} ${remedy}`),
  ];
}

/** In the currency of the trainer's configuration. */
function price(amount: number): string {
  return amount.toFixed(2);
}

/** What a base model needs. Where there are several, each line begins with its name. */
function modelText({ name, agents, needs }: NeededModel, models: number): string[] {
  const lines =
    needs === null
      ? ['disk and memory for the models: unknown, as the architecture of the model is not known here']
      : needsText(needs);
  const whose =
    agents.length === 0
      ? 'summariser'
      : `${agents.length === 1 ? 'agent' : 'agents'} ${listed(agents.map(String))}`;
  return models === 1 ? lines : lines.map((line) => `${name} (${whose}): ${line}`);
}

function timeText(models: readonly NeededModel[]): string {
  const known = models.flatMap(({ needs }) => needs ?? []);
  if (known.length < models.length) return 'unknown';
  const seconds = known.reduce((sum, needs) => sum + needs.seconds, 0);
  return `${seconds < 1 ? 'less than a second' : `about ${duration(seconds)}`} on one H100, by arithmetic`;
}

function needsText({
  parameters,
  trainable,
  models,
  disk,
  training,
  serving,
  perToken,
}: ModelNeeds): string[] {
  const server = `${sizeText(serving)} to serve the base model and ${sizeText(perToken)} for each token of a text under way`;
  if (disk === 0) return [`memory: ${server} (${count(parameters)} parameters)`];
  return [
    `about ${sizeText(models)} of disk for the models that stay, and ${sizeText(disk)} at most while it runs: models and checkpoints`,
    `memory: about ${sizeText(training)} to train ${count(trainable)} of ${count(parameters)} parameters; ${server}`,
  ];
}

/** All experiments of a column, as if none shared its answers with another. */
function together(all: readonly Estimate[]): Estimate {
  return all.reduce((sum, each) => ({
    answers: sum.answers + each.answers,
    tokens: { read: sum.tokens.read + each.tokens.read, written: sum.tokens.written + each.tokens.written },
    steps: sum.steps + each.steps,
    trainedTokens: sum.trainedTokens + each.trainedTokens,
    bytes: sum.bytes + each.bytes,
  }));
}

/** At the price of one experiment: all of a column have its trainer. */
function costOf(
  { estimate: { cost } }: Checked,
  { trainedTokens: tokens }: Estimate,
): Checked['estimate']['cost'] {
  return cost && { ...cost, cost: (tokens / 1e6) * cost.pricePerMillionTokens };
}

async function validateStudy(
  path: string,
  overrides: readonly string[],
  json: true | undefined,
): Promise<void> {
  const { name, study } = studyFromConfig(path, overrides);
  const store = openStore();
  const checks = new Map<string, Checked>();
  // Methods and seeds of a column have the same questions, endpoint and model: the one that trains most is checked.
  for (const column of new Set(study.cells.map(({ experiment }) => experiment))) {
    const cells = study.cells.filter(({ experiment }) => experiment === column);
    const [most] = cells.toSorted((a, b) => b.config.iterations - a.config.iterations);
    if (most === undefined) continue;
    const checked = await checkExperiment(most.config, store);
    const others = cells.map(({ config }) => estimate(config, checked.questions));
    const models = cells.map(({ config }) => neededModels(config, estimate(config, checked.questions)));
    const all = together(others);
    checks.set(column, {
      ...checked,
      estimate: {
        ...all,
        models: neededByAll(models),
        time: null,
        seconds: null,
        cost: costOf(checked, all),
      },
    });
  }
  const experiments = study.cells.map(({ name: experiment, config }) => ({ name: experiment, config }));
  const outlooks = study.cells.flatMap(({ name: cell, experiment: column, config }) => {
    const checked = checks.get(column);
    if (config.budget === undefined || checked === undefined) return [];
    const expected = { ...estimate(config, checked.questions), seconds: null };
    return budgetOutlook(config.budget, expected).map((line) => `${cell}: ${line}`);
  });
  const { parallel, totalBudget } = study;
  if (totalBudget !== undefined) outlooks.push(...budgetOutlook(totalBudget, allOf(checks), 'total_budget'));
  if (json)
    return printJson({
      name,
      parallel,
      ...(totalBudget === undefined ? {} : { totalBudget }),
      experiments,
      checked: Object.fromEntries(checks),
    });
  console.log(`# study: ${name}, ${counted(experiments.length, 'experiment')}, ${parallel} at once`);
  for (const [column, checked] of checks)
    for (const line of checkedText(checked)) console.log(`# ${column}: ${terminalSafe(line)}`);
  for (const line of outlooks) console.log(`# ${terminalSafe(line)}`);
  for (const each of experiments)
    console.log(`---\n# experiment: ${each.name}\n${stringify(each.config).trimEnd()}`);
}

/** What all columns are expected to cost together; how long they will take is not known. */
function allOf(checks: ReadonlyMap<string, Checked>): Parameters<typeof budgetOutlook>[1] {
  const all = together([...checks.values()].map((each) => each.estimate));
  return { tokens: all.tokens, trainedTokens: all.trainedTokens, seconds: null };
}

/** `colloquy presets` */
export const presets = command('presets', [
  'colloquy presets',
  `temporal workflow start ... --input '{"preset": "quickstart"}'`,
])
  .addOption(jsonOption)
  .action(({ json }) => {
    const [experiments, studies] = [experimentPresets(), studyPresets()];
    if (json)
      return printJson([
        ...experiments.map((each) => ({ ...each, kind: 'experiment' })),
        ...studies.map((each) => ({ ...each, kind: 'study' })),
      ]);
    printPresets(experiments);
    console.log('\nStudies (colloquy study NAME):');
    printPresets(studies);
  });

function printPresets(presets: readonly Preset[]): void {
  const { bold, dim } = colours();
  for (const { name, description, path } of presets)
    console.log(`${bold(name)}  ${dim(shortPath(path))}\n  ${description}`);
}
