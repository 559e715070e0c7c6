/** What `colloquy validate` checks in addition to the settings: the questions, the endpoint, the model, the trainer, and the expected cost. */
import { type EndpointConfig, loadEndpoints, servedForms } from '../../config/endpoints.ts';
import { type Estimate, estimate, type QuestionCounts, sum } from '../../config/estimate.ts';
import { servingFaults, trainingFaults } from '../../config/training-plan.ts';
import { baseModelsOf, iterationsOf } from '../../config/agents.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { type ConfigFault, InvalidConfig } from '../../config/faults.ts';
import { pathExists } from '../../config/load.ts';
import { modelFaults, modelLocation } from '../../config/model-name.ts';
import { type NeededModel, neededModels } from '../../config/model-needs.ts';
import { experimentDifference } from '../../config/resolve.ts';
import {
  defaultTrainer,
  loadTrainers,
  trainerAbilities,
  trainingCost,
  type TrainingCost,
} from '../../config/trainers.ts';
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
  /** Of each base model. */
  readonly endpoints: readonly {
    readonly name: string;
    readonly kind: EndpointConfig['kind'];
    /** What was found out about the model there, as a clause. */
    readonly model: string;
  }[];
  readonly estimate: Estimate & {
    readonly models: readonly NeededModel[];
    /** Null before an experiment with these models has finished in this store. */
    readonly seconds: number | null;
    /** Of the fine-tunes; null where the trainer states no price. */
    readonly cost: TrainingCost | null;
  };
  readonly warnings: readonly Warning[];
};

/**
 * Loads the questions, and looks for the endpoint, the model and the trainer where this machine's own configuration has them.
 *
 * @throws InvalidConfig for an unknown endpoint or trainer, a missing model, and fine-tunes that cannot learn
 * @throws as `Task.pool` does, and as `reachEndpoint` does
 */
export async function checkExperiment(
  config: ExperimentConfig,
  store: Store,
  endpoints: Readonly<Record<string, EndpointConfig>> = loadEndpoints(),
): Promise<Checked> {
  const asked = baseModelsOf(config).map((of) => ({
    of,
    endpoint: Object.hasOwn(endpoints, of.model.endpoint) ? endpoints[of.model.endpoint] : undefined,
  }));
  const found = asked.flatMap(({ of, endpoint }) => (endpoint === undefined ? [] : [{ of, endpoint }]));
  const missing = asked.filter(({ endpoint }) => endpoint === undefined);
  const forms = new Map(found.map(({ of, endpoint }) => [of.model.endpoint, servedForms(endpoint)]));
  const trainer = trainerOf(config);
  const made = trainer?.abilities.form(config.fine_tune);
  const faults = [
    ...missing.map(({ of: { path, model } }) =>
      unknown(`${path}.endpoint`, model.endpoint, Object.keys(endpoints), 'endpoints'),
    ),
    ...(missing.length > 0 || made === undefined
      ? []
      : servingFaults(config, (name) => forms.get(name) ?? [], made)),
    ...found.flatMap(({ of, endpoint }) => modelFaults(iterationsOf(config, of), of, endpoint)),
    ...(trainer === undefined ? [] : trainer.abilities.faults(config)),
    ...trainerFaults(config),
  ];
  if (faults.length > 0) throw new InvalidConfig(faults);
  const tasks = createTasks();
  try {
    const questions = await readQuestions(config, tasks);
    const few = trainingFaults(config, questions.train);
    if (few.length > 0) throw new InvalidConfig(few);
    const { reachEndpoint, reachTrainer, trainerLacks } = await import('../../workers/machine.ts');
    const lacks = await trainerLacks(config);
    if (lacks !== null) throw new InvalidConfig([{ path: 'fine_tune.method', message: lacks }]);
    for (const { of, endpoint } of found)
      await reachEndpoint(of.model.endpoint, endpoint, of.model.model_name_or_path, store);
    if (trainer !== undefined && config.iterations > 0)
      await reachTrainer(trainer.name, trainer.config, store);
    const expected = estimate(config, questions);
    return {
      questions,
      endpoints: found.map(({ of: { model }, endpoint }) => ({
        name: model.endpoint,
        kind: endpoint.kind,
        model: modelText(model.model_name_or_path, endpoint),
      })),
      estimate: {
        ...expected,
        models: neededModels(config, expected),
        seconds: await expectedSeconds(config, expected, store),
        cost: trainingCost(
          trainer?.name ?? '',
          trainer?.abilities.pricePerMillionTokens,
          expected.trainedTokens,
        ),
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

/** The trainer of a config; undefined where this machine does not know it. */
function trainerOf({ trainer: name = defaultTrainer }: ExperimentConfig) {
  const trainers = loadTrainers();
  const config = Object.hasOwn(trainers, name) ? trainers[name] : undefined;
  return config === undefined ? undefined : { name, config, abilities: trainerAbilities(name, config) };
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
  const { train, heldOut, validation, leftOut } = await loadQuestions(tasks.open(config.task), config.seed);
  const ofTransfer: Record<string, number> = {};
  for (const [name, task] of Object.entries(config.transfer))
    ofTransfer[name] = (await loadHeldOut(tasks.open(task), config.seed)).length;
  const texts = [...train, ...heldOut, ...validation].map(({ text }) => text.length);
  return {
    train: train.length,
    heldOut: heldOut.length,
    ...(validation.length === 0 ? {} : { validation: validation.length }),
    transfer: sum(Object.values(ofTransfer)),
    characters: sum(texts) / Math.max(1, texts.length),
    ofTransfer,
    leftOut,
  };
}

/** At the rate of the experiment of this store that finished last, if it had the same models at the same endpoints. */
async function expectedSeconds(
  config: ExperimentConfig,
  expected: Estimate,
  store: Store,
): Promise<number | null> {
  const before = await newestFinished(store);
  if (before === null) return null;
  try {
    return await secondsAtTheRateOf(experimentFiles(store, before), config, expected);
  } catch (error) {
    // Another experiment's damage is no fault of this one.
    if (isUnreadable(error)) return null;
    throw error;
  }
}

/** The settings that name models. A plain number of agents names none. */
const modelsSchema = z.object({
  model: z.unknown(),
  agents: z.unknown().transform((agents) => (typeof agents === 'number' ? undefined : agents)),
  summarizer: z.unknown(),
});

async function secondsAtTheRateOf(
  files: ExperimentFiles,
  config: ExperimentConfig,
  expected: Estimate,
): Promise<number | null> {
  const begun = await readDocument(files.config, modelsSchema);
  const result = await readDocument(files.result, experimentResultSchema);
  if (result === null || experimentDifference(begun, modelsSchema.parse(config)).length > 0) return null;
  const { tokens, seconds } = result;
  const written = tokens.debate.completion + tokens.evaluation.completion;
  const steps = sum(result.iterations.flatMap(({ fineTunes }) => fineTunes).map((each) => each.steps));
  const perToken = written > 0 ? (seconds.debate + seconds.evaluation) / written : 0;
  const perStep = steps > 0 ? seconds.fineTune / steps : 0;
  return expected.tokens.written * perToken + expected.steps * perStep;
}
