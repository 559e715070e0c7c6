/** What does `model_name_or_path` name: a folder, a model of the hub, or the embedded one? */
import { join, resolve } from 'node:path';
import type { EndpointConfig } from './endpoints.ts';
import { embeddedModel, type ExperimentConfig } from './experiment.ts';
import type { ConfigFault } from './faults.ts';
import { ownFolder, projectRoot } from './installation.ts';
import { pathExists } from './load.ts';

/** Where a folder of this name would be: absolute, or relative to `ownFolder()`. The embedded model comes with Colloquy's own files. */
export function modelPath(modelNameOrPath: string): string {
  const shipped = resolve(projectRoot, modelNameOrPath);
  return shipped === resolve(projectRoot, embeddedModel) ? shipped : resolve(ownFolder(), modelNameOrPath);
}

/** What Python programs load from any folder: the absolute path of the folder where there is one, else the name itself. */
export function modelLocation(modelNameOrPath: string): string {
  const path = modelPath(modelNameOrPath);
  return pathExists(path) ? path : modelNameOrPath;
}

/** Whether a name has the form NAME or OWNER/NAME: https://huggingface.co/docs/huggingface_hub (validate_repo_id). */
export function isHubId(name: string): boolean {
  return /^[A-Za-z0-9_][\w.-]{0,95}(?:\/[A-Za-z0-9_][\w.-]{0,95})?$/.test(name);
}

/**
 * Whether programs on the worker's machine load the experiment's base model: the engine, a vLLM that the worker starts, or the trainer. A
 * server that somebody else started may have any name for its models, and no adapter can be trained for one of kind `openai`.
 */
export function isLoadedHere(
  { iterations }: Pick<ExperimentConfig, 'iterations'>,
  endpoint: EndpointConfig,
): boolean {
  if (endpoint.kind === 'local' || endpoint.url === undefined) return true;
  return endpoint.kind === 'vllm' && iterations > 0;
}

/**
 * Why no program on this machine could load a base model of the experiment; none when one can, or when none has to.
 *
 * @param path of `model` in the config, e.g. `agents.1.model`
 */
export function modelFaults(
  config: Pick<ExperimentConfig, 'iterations'>,
  { model, path: at }: { readonly model: ExperimentConfig['model']; readonly path: string },
  endpoint: EndpointConfig,
): ConfigFault[] {
  if (!isLoadedHere(config, endpoint)) return [];
  const { model_name_or_path: name } = model;
  const fault = (message: string): ConfigFault[] => [{ path: `${at}.model_name_or_path`, message }];
  const path = modelPath(name);
  if (pathExists(path))
    return pathExists(join(path, 'config.json'))
      ? []
      : fault(`the folder ${path} holds no model: it has no config.json`);
  if (isHubId(name)) return [];
  const needed =
    endpoint.kind === 'vllm' && endpoint.url !== undefined
      ? '; the trainer loads the base model on the worker’s machine, even when another machine serves it'
      : '';
  return fault(`there is no folder ${path}, and "${name}" is no hub id such as Qwen/Qwen3-4B${needed}`);
}

/** Whether a base model is the embedded one, in any folder of this machine or another. */
export function isEmbedded({ model_name_or_path }: { readonly model_name_or_path: string }): boolean {
  return lastPart(model_name_or_path) === lastPart(embeddedModel);
}

function lastPart(path: string): string | undefined {
  return path.split(/[\\/]/).findLast((part) => part !== '');
}
