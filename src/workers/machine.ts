/** What can this machine do, and what does an experiment need of it that it lacks? For `colloquy doctor`. */
import { execFile } from 'node:child_process';
import { availableParallelism, totalmem } from 'node:os';
import { promisify } from 'node:util';
import { childEnvironment } from '../config/child-environment.ts';
import { type EndpointConfig, loadEndpoints, servedForms, type VllmConfig } from '../config/endpoints.ts';
import type { ExperimentConfig } from '../config/experiment.ts';
import { tools } from '../config/installation.ts';
import { formOf } from '../config/fine-tune.ts';
import { notDefinedHere } from '../config/load.ts';
import { isLoadedHere, modelFaults, modelLocation } from '../config/model-name.ts';
import { defaultTrainer, loadTrainers } from '../config/trainers.ts';
import { servingFaults } from '../config/training-plan.ts';
import { resolveModel } from '../engines/endpoint/base-model.ts';
import { configuredEndpoints } from '../engines/endpoint/open.ts';
import { freeMemory, gpus, modelFacts, servingDevice } from '../engines/vllm/device.ts';
import { freeOn, leastMemory } from '../engines/vllm/flags.ts';
import { findVllm } from '../engines/vllm/installed.ts';
import { servingNeeds } from '../engines/vllm/needs.ts';
import { deviceName } from '../engines/vllm/vllm-process.ts';
import type { Store } from '../store/store.ts';
import { counted, gibibytes, listed } from '../text/figures.ts';

/** One thing that was looked for. */
export type Finding = {
  readonly what: string;
  /** What was found, or why it cannot be used. */
  readonly found: string;
  /** `missing` is needed and cannot be used; `absent` may be needed by others than what was asked about. */
  readonly state: 'ok' | 'absent' | 'missing';
};

/** What is here, whatever an experiment needs. Only what every experiment needs can be missing. */
export async function examineMachine(store: Store): Promise<Finding[]> {
  const cards = await gpus();
  return [
    there('Node', process.versions.node),
    await looked('Python of the engine', () => tools().python),
    await looked('Temporal CLI', () => tools().temporal),
    there(
      'processor',
      `${counted(availableParallelism(), 'core')}, ${gibibytes(freeMemory())} of ${gibibytes(totalmem())} GiB of memory free`,
    ),
    there(
      'graphics cards',
      cards
        .map(
          ({ index, name, total, free }) =>
            `${index}: ${name}, ${gibibytes(free)} of ${gibibytes(total)} GiB free`,
        )
        .join('; ') || 'none',
    ),
    await looked('vLLM', () => vllmText(), 'absent'),
    there('store', store.root),
    await looked('endpoints', () => named(loadEndpoints())),
    await looked('trainers', () => named(loadTrainers())),
  ];
}

/** What an experiment needs, apart from its questions. */
export async function examineNeeds(config: ExperimentConfig, store: Store): Promise<Finding[]> {
  const { endpoint: name, model_name_or_path: model } = config.model;
  const trainer = config.trainer ?? defaultTrainer;
  const trains = config.iterations > 0;
  const endpoint = endpointOrNone(name);
  return [
    await looked(`endpoint ${name}`, async () =>
      endpointText(name, called(name, loadEndpoints(), 'endpoint'), config, store),
    ),
    ...(endpoint !== undefined && isLoadedHere(config, endpoint)
      ? [await looked(`model ${model}`, () => modelText(config, endpoint))]
      : []),
    ...(trains
      ? [
          await looked(`trainer ${trainer}`, async () => {
            const text = `${called(trainer, loadTrainers(), 'trainer').kind}: ${tools().python}`;
            const lacks = await trainerLacks(config);
            if (lacks !== null) throw new Error(lacks);
            return text;
          }),
        ]
      : []),
  ];
}

/**
 * What the trainer lacks on this machine for the experiment's fine-tunes; null when it lacks nothing. Starts Python, which takes a moment,
 * where the method needs a package that is no part of the set-up.
 */
export async function trainerLacks({ iterations, fine_tune }: ExperimentConfig): Promise<string | null> {
  if (iterations === 0 || fine_tune.method !== 'qlora') return null;
  const search = 'import importlib.util; print(importlib.util.find_spec("bitsandbytes") is not None)';
  const options = { env: childEnvironment(), timeout: 60_000 };
  const { stdout } = await promisify(execFile)(tools().python, ['-c', search], options);
  return stdout.trim() === 'True'
    ? null
    : 'qlora needs the Python package bitsandbytes. Install it with: npm run setup:qlora. Or take fine_tune.method: lora';
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
function modelText(config: ExperimentConfig, endpoint: EndpointConfig): string {
  const { model_name_or_path: name } = config.model;
  const [fault] = modelFaults(config, endpoint);
  if (fault !== undefined) throw new Error(fault.message);
  return modelLocation(name);
}

/** The endpoint or trainer of this name. Throws when the worker's configuration has none. */
function called<Entry>(
  name: string,
  entries: Readonly<Record<string, Entry>>,
  what: 'endpoint' | 'trainer',
): Entry {
  const entry = Object.hasOwn(entries, name) ? entries[name] : undefined;
  if (entry === undefined) throw new Error(notDefinedHere(what, name, Object.keys(entries)));
  return entry;
}

async function endpointText(
  name: string,
  endpoint: EndpointConfig,
  config: ExperimentConfig,
  store: Store,
): Promise<string> {
  const [unserved] = servingFaults(config, servedForms(endpoint));
  if (unserved !== undefined) throw new Error(unserved.message);
  if (endpoint.kind === 'local') return `the embedded engine: ${tools().python}`;
  if (endpoint.kind === 'vllm' && endpoint.url === undefined) return ownVllmText(endpoint, config);
  const urls = [endpoint.url ?? []].flat();
  // Each server alone first, as an endpoint of several goes on without one; and then whether they have the same model.
  for (const url of urls.length === 1 ? urls : [...urls, urls]) {
    const endpoints = configuredEndpoints(store, false, { [name]: { ...endpoint, url } });
    try {
      await endpoints
        .for({ endpoint: name, name: config.model.model_name_or_path })
        .check(AbortSignal.timeout(30_000));
    } finally {
      await endpoints.close();
    }
  }
  return `${listed(urls)} ${urls.length === 1 ? 'answers' : 'answer'}`;
}

/** @throws what stands in the way of a start */
async function ownVllmText(endpoint: VllmConfig, config: ExperimentConfig): Promise<string> {
  const { version } = await findVllm(endpoint.command);
  const device = servingDevice(version, await gpus(), endpoint.devices, process.env['CUDA_VISIBLE_DEVICES']);
  const { weights } = await modelFacts(resolveModel(config.model.model_name_or_path), device.kind === 'cpu');
  const least = leastMemory({ weights, device });
  const free = freeOn(device, endpoint.resident ?? 1);
  const { adapters, rank, context } = servingNeeds(config);
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

async function vllmText(): Promise<string> {
  const { command, version } = await findVllm();
  return `${version} (${command})`;
}

function there(what: string, found: string): Finding {
  return { what, found, state: 'ok' };
}

/** Every error is a finding: a person wants to see all of them. */
async function looked(
  what: string,
  look: () => string | Promise<string>,
  otherwise: 'absent' | 'missing' = 'missing',
): Promise<Finding> {
  try {
    return there(what, await look());
  } catch (error) {
    return { what, found: error instanceof Error ? error.message : String(error), state: otherwise };
  }
}

function named(entries: Readonly<Record<string, { readonly kind: string }>>): string {
  return Object.entries(entries)
    .map(([name, { kind }]) => `${name} (${kind})`)
    .join(', ');
}
