/** What can this machine do, and what does an experiment need of it that it lacks? For `colloquy doctor`. */
import { availableParallelism, totalmem } from 'node:os';
import { type EndpointConfig, loadEndpoints, servedForms, type VllmConfig } from '../config/endpoints.ts';
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
import { formOf } from '../config/fine-tune.ts';
import { called } from '../config/load.ts';
import { defaultTrainer, loadTrainers, trainerAbilities } from '../config/trainers.ts';
import { servingFaults } from '../config/training-plan.ts';
import { resolveModel } from '../engines/endpoint/base-model.ts';
import { configuredEndpoints } from '../engines/endpoint/open.ts';
import { trainerText } from '../engines/trainer/open.ts';
import { gpus, modelFacts, servingDeviceHere, visibleCards } from '../engines/vllm/device.ts';
import { freeOn, leastMemory } from '../engines/vllm/flags.ts';
import { findVllm } from '../engines/vllm/installed.ts';
import { deviceName, embeddedNeeds, servingNeeds } from '../engines/vllm/needs.ts';
import type { Store } from '../store/store.ts';
import { counted, gibibytes, listed } from '../text/figures.ts';

// The command line reaches engines through this file alone.
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
          endpointText(of, called(name, loadEndpoints(), 'endpoint'), config, store),
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

async function endpointText(
  of: BaseModelOfConfig,
  endpoint: EndpointConfig,
  config: ExperimentConfig,
  store: Store,
): Promise<string> {
  const { endpoint: name, model_name_or_path: model } = of.model;
  const trainer = loadTrainers()[config.trainer ?? defaultTrainer];
  const made = trainer && trainerAbilities('', trainer).form(config.fine_tune);
  const unserved = made === undefined ? [] : servingFaults(config, () => servedForms(endpoint), made);
  const own = unserved.find(({ path }) => path === `${of.path}.endpoint`);
  if (own !== undefined) throw new Error(own.message);
  if (endpoint.kind === 'local') {
    const endpoints = configuredEndpoints(store, false, { [name]: endpoint });
    const needs = await embeddedNeeds(config, name, endpoints.for({ endpoint: name, name: model }));
    return `the embedded engine: ${tools().python}${needs === null ? '' : `; it needs ${needs}`}`;
  }
  if (endpoint.kind === 'vllm' && endpoint.url === undefined) return ownVllmText(endpoint, config, of);
  const urls = [endpoint.url ?? []].flat();
  // First asks each server alone, because an endpoint of several goes on without one. Then finds out whether they have the same model.
  for (const url of urls.length === 1 ? urls : [...urls, urls])
    await reachEndpoint(name, { ...endpoint, url }, model, store);
  return `${listed(urls)} ${urls.length === 1 ? 'answers' : 'answer'}`;
}

/**
 * Asks a server whether it answers and has the model. An embedded engine is not started for that.
 *
 * @param name of the endpoint
 * @throws the errors of the endpoint: EngineUnreachable, ModelNotServed and others
 */
export async function reachEndpoint(
  name: string,
  endpoint: EndpointConfig,
  model: string,
  store: Store,
): Promise<void> {
  if (endpoint.kind === 'local') return;
  // It would take minutes to start it only to hear that it has the model.
  if (endpoint.kind === 'vllm' && endpoint.url === undefined) return void (await findVllm(endpoint.command));
  const endpoints = configuredEndpoints(store, false, { [name]: endpoint });
  try {
    await endpoints.for({ endpoint: name, name: model }).check(AbortSignal.timeout(30_000));
  } finally {
    await endpoints.close();
  }
}

/** @throws what stands in the way of a start */
async function ownVllmText(
  endpoint: VllmConfig,
  config: ExperimentConfig,
  { model, agents }: BaseModelOfConfig,
): Promise<string> {
  const { version } = await findVllm(endpoint.command);
  const device = await servingDeviceHere(version, endpoint.devices);
  const { weights } = await modelFacts(resolveModel(model.model_name_or_path), device.kind === 'cpu');
  const least = leastMemory({ weights, device });
  const free = freeOn(device, endpoint.resident ?? 1);
  const { adapters, rank, context } = servingNeeds(config, agents.length);
  const memory = `${least === null ? 'an unknown part' : `at least ${gibibytes(least)} GiB`} of ${deviceName(device)}, of which ${gibibytes(free)} GiB are free`;
  if (least !== null && least > free) throw new Error(`it needs ${memory}`);
  const whole = config.iterations > 0 && formOf(config.fine_tune) === 'full';
  const tuned = whole
    ? `whole models, ${endpoint.resident ?? 1} at a time`
    : adapters > 0
      ? `${counted(adapters, 'adapter')} of rank ${rank}`
      : 'no adapters';
  return `vLLM ${version} on ${device.kind === 'cpu' ? 'the CPU' : deviceName(device)}: ${tuned}, a context of ${context} tokens, ${memory}`;
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
