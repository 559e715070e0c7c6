/** What `colloquy validate` checks in addition to the settings: the questions, the endpoint, the model, the trainer, and the expected cost. */
import { type EndpointConfig, loadEndpoints, servedForms } from '../../config/endpoints.ts';
import { servingFaults, trainingFaults } from '../../config/training-plan.ts';
import { baseModelsOf, iterationsOf, modelFaults, modelLocation } from '../../config/agents.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { type ConfigFault, InvalidConfig } from '../../config/faults.ts';
import { pathExists } from '../../config/load.ts';
import { defaultTrainer, loadTrainers } from '../../config/trainers.ts';
import { createTasks } from '../../questions/open-task.ts';
import { warningsOf } from '../../report/findings/warnings.ts';
import type { Warning } from '../../store/records/result.ts';
import type { Store } from '../../store/store.ts';
import { type Expected, expectedFor, findQuestions, type FoundQuestions, trainerOf } from './expected.ts';

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
    for (const { of, endpoint } of found)
      await reachEndpoint(of.model.endpoint, endpoint, of.model.model_name_or_path, store);
    if (trainer !== undefined && config.iterations > 0)
      await reachTrainer(trainer.name, trainer.config, store);
    return {
      questions,
      endpoints: found.map(({ of: { model }, endpoint }) => ({
        name: model.endpoint,
        kind: endpoint.kind,
        model: modelText(model.model_name_or_path, endpoint),
      })),
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

function modelText(name: string, endpoint: EndpointConfig): string {
  if (endpoint.kind !== 'local' && endpoint.url !== undefined) return `the server answers and has ${name}`;
  return modelLocation(name) !== name || pathExists(name)
    ? `${name} is there`
    : `${name} is a hub id: the worker's engine will load it; this was not tried here`;
}
