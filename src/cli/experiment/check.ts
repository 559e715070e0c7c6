/** What `colloquy validate` checks in addition to the settings: the questions, the endpoint, the model, the trainer, and the expected cost. */
import { type EndpointConfig, loadEndpoints, servedForms } from '../../config/endpoints.ts';
import {
  type Estimate,
  estimate,
  type QuestionCounts,
  servingFaults,
  trainingFaults,
} from '../../config/training-plan.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { type ConfigFault, InvalidConfig } from '../../config/faults.ts';
import { pathExists } from '../../config/load.ts';
import { modelFaults, modelLocation } from '../../config/model-name.ts';
import { type ModelNeeds, modelNeeds } from '../../config/model-needs.ts';
import { experimentDifference } from '../../config/resolve.ts';
import { defaultTrainer, loadTrainers } from '../../config/trainers.ts';
import { createTasks, loadHeldOut, loadQuestions, type Tasks } from '../../questions/open-task.ts';
import type { LeftOut } from '../../questions/task.ts';
import { warningsOf } from '../../report/findings/warnings.ts';
import { isUnreadable } from '../../store/errors.ts';
import { readDocument } from '../../store/files/documents.ts';
import { type ExperimentFiles, experimentFiles, newestFinished, type Store } from '../../store/store.ts';
import { experimentResultSchema, type Warning } from '../../store/records/result.ts';
import { z } from 'zod';

/** What was found. */
export type Checked = {
  readonly questions: QuestionCounts & {
    /** The held-out questions of each task of `transfer`. */
    readonly ofTransfer: Readonly<Record<string, number>>;
    /** Questions that are not asked, with the reasons: unreadable gold answers are among them. */
    readonly leftOut: readonly LeftOut[];
  };
  readonly endpoint: {
    readonly name: string;
    readonly kind: EndpointConfig['kind'];
    /** What was found out about the model there, as a clause. */
    readonly model: string;
  };
  readonly estimate: Estimate & {
    /** What its models need; null for a model whose architecture is not known here. */
    readonly models: ModelNeeds | null;
    /** Null before an experiment with this model has finished in this store. */
    readonly seconds: number | null;
  };
  readonly warnings: readonly Warning[];
};

/**
 * Loads the questions, and looks for the endpoint, the model and the trainer where this machine's own configuration has them.
 *
 * @throws InvalidConfig for an unknown endpoint or trainer, a missing model, and fine-tunes that cannot learn
 * @throws as `Task.pool` does, and as `reachEndpoint` does
 */
export async function checkExperiment(config: ExperimentConfig, store: Store): Promise<Checked> {
  const endpoints = loadEndpoints();
  const { endpoint: name, model_name_or_path: model } = config.model;
  const endpoint = Object.hasOwn(endpoints, name) ? endpoints[name] : undefined;
  const faults = [
    ...(endpoint === undefined
      ? [unknown('model.endpoint', name, Object.keys(endpoints), 'endpoints')]
      : [...servingFaults(config, servedForms(endpoint)), ...modelFaults(config, endpoint)]),
    ...trainerFaults(config),
  ];
  if (faults.length > 0 || endpoint === undefined) throw new InvalidConfig(faults);
  const tasks = createTasks();
  try {
    const questions = await readQuestions(config, tasks);
    const few = trainingFaults(config, questions.train);
    if (few.length > 0) throw new InvalidConfig(few);
    const { reachEndpoint } = await import('../../serve/debaters.ts');
    const { trainerLacks } = await import('../../workers/machine.ts');
    const lacks = await trainerLacks(config);
    if (lacks !== null) throw new InvalidConfig([{ path: 'fine_tune.method', message: lacks }]);
    await reachEndpoint(name, endpoint, model, store);
    const expected = estimate(config, questions);
    return {
      questions,
      endpoint: { name, kind: endpoint.kind, model: modelText(model, endpoint) },
      estimate: {
        ...expected,
        models: modelNeeds(config, expected),
        seconds: await expectedSeconds(config, expected, store),
      },
      warnings: warningsOf({ config, heldOut: questions.heldOut, iterations: [], evaluations: [] }),
    };
  } finally {
    await tasks.close();
  }
}

/** Of what the worker's configuration names: this machine's may not be the worker's. */
function unknown(path: string, name: string, known: readonly string[], file: string): ConfigFault {
  const message =
    `nothing is called ${JSON.stringify(name)} in this machine's configs/${file}.yaml (or the file that COLLOQUY_${file.toUpperCase()} names); it has ${known.join(', ')}. ` +
    'A worker has its own file: validate on its machine, or add it here';
  return { path, message };
}

function trainerFaults({ iterations, trainer = defaultTrainer }: ExperimentConfig): ConfigFault[] {
  const known = Object.keys(loadTrainers());
  return iterations === 0 || known.includes(trainer) ? [] : [unknown('trainer', trainer, known, 'trainers')];
}

function modelText(name: string, endpoint: EndpointConfig): string {
  if (endpoint.kind !== 'local' && endpoint.url !== undefined) return `the server answers and has ${name}`;
  return modelLocation(name) !== name || pathExists(name)
    ? `${name} is there`
    : `${name} is a hub id: the worker's engine will load it; this was not tried here`;
}

async function readQuestions(config: ExperimentConfig, tasks: Tasks): Promise<Checked['questions']> {
  const { train, heldOut, leftOut } = await loadQuestions(tasks.open(config.task), config.seed);
  const ofTransfer: Record<string, number> = {};
  for (const [name, task] of Object.entries(config.transfer))
    ofTransfer[name] = (await loadHeldOut(tasks.open(task), config.seed)).length;
  const texts = [...train, ...heldOut].map(({ text }) => text.length);
  return {
    train: train.length,
    heldOut: heldOut.length,
    transfer: sum(Object.values(ofTransfer)),
    characters: sum(texts) / Math.max(1, texts.length),
    ofTransfer,
    leftOut,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** At the rate of the experiment of this store that finished last, if it had the same model at the same endpoint. */
async function expectedSeconds(
  { model }: ExperimentConfig,
  expected: Estimate,
  store: Store,
): Promise<number | null> {
  const before = await newestFinished(store);
  if (before === null) return null;
  try {
    return await secondsAtTheRateOf(experimentFiles(store, before), model, expected);
  } catch (error) {
    // Another experiment's damage is no fault of this one.
    if (isUnreadable(error)) return null;
    throw error;
  }
}

async function secondsAtTheRateOf(
  files: ExperimentFiles,
  model: ExperimentConfig['model'],
  expected: Estimate,
): Promise<number | null> {
  const begun = await readDocument(files.config, z.looseObject({ model: z.unknown() }));
  const result = await readDocument(files.result, experimentResultSchema);
  if (result === null || experimentDifference(begun?.model, model).length > 0) return null;
  const { tokens, seconds } = result;
  const written = tokens.debate.completion + tokens.evaluation.completion;
  const steps = sum(result.iterations.flatMap(({ fineTunes }) => fineTunes).map((each) => each.steps));
  const perToken = written > 0 ? (seconds.debate + seconds.evaluation) / written : 0;
  const perStep = steps > 0 ? seconds.fineTune / steps : 0;
  return expected.tokens.written * perToken + expected.steps * perStep;
}
