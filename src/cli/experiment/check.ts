/** Does this machine have what an experiment needs (questions, endpoints, models, a trainer), and how many tokens, how much disk and how long will it take? */
import { z } from 'zod';
import { type EndpointConfig, loadEndpoints, servedForms } from '../../config/endpoints.ts';
import { servingFaults, trainingFaults } from '../../config/training-plan.ts';
import { baseModelsOf, iterationsOf, modelFaults } from '../../config/agents.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { type ConfigFault, InvalidConfig } from '../../config/faults.ts';
import {
  defaultTrainer,
  loadTrainers,
  trainerAbilities,
  trainingCost,
  type TrainingCost,
} from '../../config/trainers.ts';
import { createTasks, loadHeldOut, loadQuestions, type Tasks } from '../../questions/open-task.ts';
import { warningsOf } from '../../report/findings/warnings.ts';
import {
  type ExperimentResult,
  experimentResultSchema,
  finishedNewestFirst,
  type Warning,
} from '../../store/records/result.ts';
import { experimentFiles, type Store } from '../../store/store.ts';
import { type Estimate, estimate, type QuestionCounts, sum } from '../../config/estimate.ts';
import { type NeededModel, neededModels } from '../../config/model-needs.ts';
import { experimentDifference } from '../../config/resolve.ts';
import type { LeftOut } from '../../questions/task.ts';
import { isUnreadable } from '../../store/errors.ts';
import { readDocument } from '../../store/files/documents.ts';

/** What was found. */
export type Checked = {
  readonly questions: FoundQuestions;
  /** Of each base model. */
  readonly endpoints: readonly {
    readonly name: string;
    readonly kind: EndpointConfig['kind'];
    /** What was found out about the model there, as a clause. */
    readonly model: string;
  }[];
  readonly estimate: Expected;
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
    const questions = await findQuestions(config, tasks);
    const few = trainingFaults(config, questions.train);
    if (few.length > 0) throw new InvalidConfig(few);
    const { reachEndpoint, reachTrainer, trainerLacks } = await import('../../workers/machine.ts');
    const lacks = await trainerLacks(config);
    if (lacks !== null) throw new InvalidConfig([{ path: 'fine_tune.method', message: lacks }]);
    const reached: Checked['endpoints'][number][] = [];
    for (const { of, endpoint } of found) {
      const { endpoint: name, model_name_or_path: named } = of.model;
      const model = await reachEndpoint(name, endpoint, named, store);
      reached.push({ name, kind: endpoint.kind, model });
    }
    if (trainer !== undefined && config.iterations > 0)
      await reachTrainer(trainer.name, trainer.config, store);
    return {
      questions,
      endpoints: reached,
      estimate: await expectedFor(config, questions, store),
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

/** The questions of an experiment, read as it will read them. */
export type FoundQuestions = QuestionCounts & {
  /** The held-out questions of each task of `transfer`. */
  readonly ofTransfer: Readonly<Record<string, number>>;
  /** Questions that are not asked, with the reasons: unreadable gold answers are among them. */
  readonly leftOut: readonly LeftOut[];
};

export type Expected = Estimate & {
  readonly models: readonly NeededModel[];
  /** At the speed of the experiment `from`; null where no experiment of this store has shown it. */
  readonly time: ExpectedTime | null;
  /** The whole time; null where a part of it is not known. */
  readonly seconds: number | null;
  /** Of the fine-tunes; null where the trainer states no price. */
  readonly cost: TrainingCost | null;
};

/** In seconds. A part is null where the experiment `from` had no such work to show how long it takes. */
export type ExpectedTime = {
  readonly from: string;
  readonly answers: number | null;
  readonly fineTunes: number | null;
};

/** @throws as `Task.pool` does */
export async function findQuestions(config: ExperimentConfig, tasks: Tasks): Promise<FoundQuestions> {
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

/** What an experiment is expected to take. Asks no endpoint and no trainer. */
export async function expectedFor(
  config: ExperimentConfig,
  questions: QuestionCounts,
  store: Store,
): Promise<Expected> {
  const expected = estimate(config, questions);
  const time = timeAt(await measuredSpeed(config, store), expected);
  const parts = time === null ? [null] : [time.answers, time.fineTunes];
  const known = parts.filter((part) => part !== null);
  const trainer = trainerOf(config);
  return {
    ...expected,
    models: neededModels(config, expected),
    time,
    seconds: known.length < parts.length ? null : sum(known),
    cost: trainingCost(trainer?.name ?? '', trainer?.abilities.pricePerMillionTokens, expected.trainedTokens),
  };
}

/** The trainer of a config; undefined where this machine does not know it. */
export function trainerOf({ trainer: name = defaultTrainer }: ExperimentConfig) {
  const trainers = loadTrainers();
  const config = Object.hasOwn(trainers, name) ? trainers[name] : undefined;
  return config === undefined ? undefined : { name, config, abilities: trainerAbilities(name, config) };
}

/** How fast an experiment was. Null for work that it did not have. */
type Speed = {
  readonly from: string;
  readonly secondsPerTokenWritten: number | null;
  readonly secondsPerStep: number | null;
};

function timeAt(speed: Speed | null, { tokens, steps }: Estimate): ExpectedTime | null {
  if (speed === null) return null;
  const of = (amount: number, each: number | null) =>
    amount === 0 ? 0 : each === null ? null : amount * each;
  return {
    from: speed.from,
    answers: of(tokens.written, speed.secondsPerTokenWritten),
    fineTunes: of(steps, speed.secondsPerStep),
  };
}

/** The speed of the experiment of this store that finished last with the same models at the same endpoints; null where none has. */
async function measuredSpeed(config: ExperimentConfig, store: Store): Promise<Speed | null> {
  for (const name of await finishedNewestFirst(store)) {
    const result = await resultWithModelsOf(config, store, name);
    if (result !== null) return speedOf(name, result);
  }
  return null;
}

/** The settings that name models. A plain number of agents names none. */
const modelsSchema = z.object({
  model: z.unknown().optional(),
  agents: z
    .unknown()
    .transform((agents) => (typeof agents === 'number' ? undefined : agents))
    .optional(),
  summarizer: z.unknown().optional(),
});

async function resultWithModelsOf(
  config: ExperimentConfig,
  store: Store,
  name: string,
): Promise<ExperimentResult | null> {
  const files = experimentFiles(store, name);
  try {
    const begun = await readDocument(files.config, modelsSchema);
    if (experimentDifference(begun, modelsSchema.parse(config)).length > 0) return null;
    return await readDocument(files.result, experimentResultSchema);
  } catch (error) {
    // Another experiment's damage is no fault of this one.
    if (isUnreadable(error)) return null;
    throw error;
  }
}

function speedOf(from: string, { tokens, seconds, iterations }: ExperimentResult): Speed {
  const written = tokens.debate.completion + tokens.evaluation.completion;
  const steps = sum(iterations.flatMap(({ fineTunes }) => fineTunes).map((each) => each.steps));
  return {
    from,
    secondsPerTokenWritten: written > 0 ? (seconds.debate + seconds.evaluation) / written : null,
    secondsPerStep: steps > 0 ? seconds.fineTune / steps : null,
  };
}
