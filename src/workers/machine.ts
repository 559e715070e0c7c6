/** What can this machine do, and what does an experiment need of it that it lacks? For `colloquy doctor`. */
import { availableParallelism, totalmem } from 'node:os';
import { type EndpointConfig, loadEndpoints, servedForms } from '../config/endpoints.ts';
import {
  type BaseModelOfConfig,
  baseModelsOf,
  isLoadedHere,
  iterationsOf,
  modelFaults,
  modelLocation,
} from '../config/agents.ts';
import type { ExperimentConfig } from '../config/experiment.ts';
import { tools } from '../config/installation.ts';
import { called } from '../config/load.ts';
import { defaultTrainer, loadTrainers, trainerAbilities } from '../config/trainers.ts';
import { servingFaults } from '../config/training-plan.ts';
import { endpointText } from '../engines/endpoint/reach.ts';
import { trainerText } from '../engines/trainer/open.ts';
import { gpus, visibleCards } from '../engines/vllm/device.ts';
import { findVllm } from '../engines/vllm/installed.ts';
import type { Store } from '../store/store.ts';
import { counted, gibibytes, listed } from '../text/figures.ts';

// The command line reaches engines through this file alone.
export { reachEndpoint } from '../engines/endpoint/reach.ts';
export { reachTrainer, trainerLacks } from '../engines/trainer/open.ts';

/** One thing that was looked for. */
export type Finding = {
  readonly what: string;
  /** What was found, or why it cannot be used. */
  readonly found: string;
  /** `missing` is needed and cannot be used; `absent` may be needed by others than what was asked about. */
  readonly state: 'ok' | 'absent' | 'missing';
};

/** Called for each thing that is looked for. `found` never rejects. */
export type OnLook = (what: string, found: Promise<Finding>) => void;

/** What this machine has, for any experiment. Only things that every experiment needs can be missing. All searches run side by side. */
export async function examineMachine(store: Store, onLook: OnLook = () => undefined): Promise<Finding[]> {
  const looked = looker(onLook);
  return Promise.all([
    looked('Node', () => process.versions.node),
    looked('Python of the engine', () => tools().python),
    looked('Temporal CLI', () => tools().temporal),
    looked(
      'processor',
      () =>
        `${counted(availableParallelism(), 'core')}, ${gibibytes(process.availableMemory())} of ${gibibytes(totalmem())} GiB of memory free`,
    ),
    looked('graphics cards', cardsText, 'absent'),
    looked('vLLM', vllmText, 'absent'),
    looked('store', async () => {
      await store.check();
      return store.root;
    }),
    looked('endpoints', () => named(loadEndpoints())),
    looked('trainers', () => named(loadTrainers())),
  ]);
}

/** What an experiment needs, apart from its questions. All searches run side by side. */
export async function examineNeeds(
  config: ExperimentConfig,
  store: Store,
  onLook: OnLook = () => undefined,
): Promise<Finding[]> {
  const looked = looker(onLook);
  const trainer = config.trainer ?? defaultTrainer;
  const found = await Promise.all([
    ...baseModelsOf(config).flatMap((of) => {
      const { endpoint: name, model_name_or_path: model } = of.model;
      const endpoint = endpointOrNone(name);
      return [
        looked(`endpoint ${name}`, async () =>
          servingText(of, called(name, loadEndpoints(), 'endpoint'), config, store),
        ),
        ...(endpoint !== undefined && isLoadedHere(iterationsOf(config, of), endpoint)
          ? [looked(`model ${model}`, () => modelText(config, of, endpoint))]
          : []),
      ];
    }),
    ...(config.iterations > 0
      ? [looked(`trainer ${trainer}`, () => trainerText(trainer, config, store))]
      : []),
  ]);
  // Models at one endpoint give the same findings about it.
  return [...new Map(found.map((each) => [JSON.stringify(each), each])).values()];
}

/** The endpoint of this name; undefined where there is none or its file cannot be read, which is a finding of its own. */
function endpointOrNone(name: string): EndpointConfig | undefined {
  try {
    return called(name, loadEndpoints(), 'endpoint');
  } catch {
    return undefined;
  }
}

/** @throws when nothing here could load the model */
function modelText(config: ExperimentConfig, of: BaseModelOfConfig, endpoint: EndpointConfig): string {
  const { model_name_or_path: name } = of.model;
  const [fault] = modelFaults(iterationsOf(config, of), of, endpoint);
  if (fault !== undefined) throw new Error(fault.message);
  return modelLocation(name);
}

/** @throws the reason why the experiment cannot use the endpoint */
async function servingText(
  of: BaseModelOfConfig,
  endpoint: EndpointConfig,
  config: ExperimentConfig,
  store: Store,
): Promise<string> {
  const trainer = loadTrainers()[config.trainer ?? defaultTrainer];
  const made = trainer && trainerAbilities('', trainer).form(config.fine_tune);
  const unserved = made === undefined ? [] : servingFaults(config, () => servedForms(endpoint), made);
  const own = unserved.find(({ path }) => path === `${of.path}.endpoint`);
  if (own !== undefined) throw new Error(own.message);
  return endpointText(of, endpoint, config, store);
}

async function cardsText(): Promise<string> {
  const cards = await gpus();
  if (cards.length === 0) return 'none';
  const all = cards.map(
    ({ index, name, total, free }) => `${index}: ${name}, ${gibibytes(free)} of ${gibibytes(total)} GiB free`,
  );
  const variable = process.env['CUDA_VISIBLE_DEVICES'];
  const visible = visibleCards(variable, cards).map(({ index }) => String(index));
  return variable === undefined
    ? all.join('; ')
    : `${all.join('; ')}; CUDA_VISIBLE_DEVICES leaves this worker ${visible.length === 0 ? 'none of them' : listed(visible)}`;
}

async function vllmText(): Promise<string> {
  const { command, version } = await findVllm();
  return `${version} (${command})`;
}

/** Every error is a finding: a person wants to see all of them. */
function looker(onLook: OnLook) {
  return (
    what: string,
    look: () => string | Promise<string>,
    otherwise: 'absent' | 'missing' = 'missing',
  ): Promise<Finding> => {
    const found = (async () => look())().then(
      (text) => ({ what, found: text, state: 'ok' as const }),
      (error: unknown) => ({
        what,
        found: error instanceof Error ? error.message : String(error),
        state: otherwise,
      }),
    );
    onLook(what, found);
    return found;
  };
}

function named(entries: Readonly<Record<string, { readonly kind: string }>>): string {
  return Object.entries(entries)
    .map(([name, { kind }]) => `${name} (${kind})`)
    .join(', ');
}
