/** What does `model_name_or_path` name: a folder, a model of the hub, or the embedded one? */
import { resolve } from 'node:path';
import { embeddedModel } from './experiment.ts';
import { projectRoot } from './installation.ts';
import { pathExists } from './load.ts';

/** Where a folder of this name would be: relative to the project's root, or absolute. */
export function modelPath(modelNameOrPath: string): string {
  return resolve(projectRoot, modelNameOrPath);
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

/** Whether a base model is the embedded one, in whichever folder, of this machine or another, it lies. */
export function isEmbedded({ model_name_or_path }: { readonly model_name_or_path: string }): boolean {
  return lastPart(model_name_or_path) === lastPart(embeddedModel);
}

function lastPart(path: string): string | undefined {
  return path.split(/[\\/]/).findLast((part) => part !== '');
}
