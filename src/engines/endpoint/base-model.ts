/** Which base model a name means where this worker runs. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fineTuneManifestSchema } from '../../config/contract.ts';
import { pathExists } from '../../config/load.ts';
import { isHubId, modelPath } from '../../config/model-name.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { fileBlobs } from '../../store/blobs-file.ts';
import { ArtifactMissing } from '../../store/errors.ts';
import { baseModelHash } from '../../store/base-weights.ts';
import type { BaseModel } from '../../store/models.ts';

/**
 * The base model that an experiment's config names. Its weights are hashed where they are in a folder here.
 *
 * @throws ModelFolderMissing
 */
export async function identifyBaseModel(endpoint: string, modelNameOrPath: string): Promise<BaseModel> {
  const weights = shortened(await baseModelHash(resolveModel(modelNameOrPath)));
  return { endpoint, name: modelNameOrPath, revision: null, weights };
}

/**
 * A whole model that was made here, as a base model of its own. Its weights are named by its manifest: they were compared with it when
 * the model was found, and it may have many gigabytes.
 *
 * @param folder absolute
 * @throws ArtifactMissing
 */
export async function identifyWholeModel(endpoint: string, folder: string): Promise<BaseModel> {
  const manifest = await fileBlobs(folder).get('manifest.json');
  if (manifest === null) throw new ArtifactMissing(join(folder, 'manifest.json'));
  const { files } = filesSchema.parse(JSON.parse(String(manifest)));
  const hashes = Object.entries(files)
    .filter(([name]) => name.endsWith('.safetensors'))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { sha256 }]) => `${name}:${sha256}`);
  return { endpoint, name: folder, revision: null, weights: shortened(hashes.join(',')) };
}

const filesSchema = fineTuneManifestSchema.pick({ files: true });

/** Every step of a run carries the identity of its models: it must not grow with the number of files. */
function shortened(hashes: string): string {
  const files = hashes.split(',').length;
  return files === 1 ? hashes : `${files} files:${createHash('sha256').update(hashes).digest('hex')}`;
}

/** @throws BaseModelChanged when the folder of `base` has other weights now; ModelFolderMissing */
export async function requireSameWeights(base: BaseModel): Promise<void> {
  const { weights } = await identifyBaseModel(base.endpoint, base.name);
  if (weights !== base.weights) throw new BaseModelChanged(base.name);
}

/** The base model's folder has other weights than when the experiment was prepared. */
export class BaseModelChanged extends ColloquyError {
  override name = 'BaseModelChanged' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  override readonly workerLacksIt = true;
  readonly model: string;

  constructor(model: string) {
    super(
      `The weights of ${model} are not those that this experiment began with. ` +
        `Put the old weights back and try again. To use the new ones, start another experiment under a new name: ` +
        `this one keeps the debates of the old weights, so it must not go on with others.`,
    );
    this.model = model;
  }
}

/**
 * What the Python programs load for `model_name_or_path`: the absolute path when it is a folder (relative to the project's
 * root, or absolute), else the name itself, a hub id.
 *
 * @throws ModelFolderMissing when it is no folder that is there, and no hub id either
 */
export function resolveModel(modelNameOrPath: string): string {
  const path = modelPath(modelNameOrPath);
  if (pathExists(path)) return path;
  if (isHubId(modelNameOrPath)) return modelNameOrPath;
  throw new ModelFolderMissing(modelNameOrPath, path);
}

/** Thrown before an engine is started: it would take long to load Python's libraries only to find the same. */
export class ModelFolderMissing extends ColloquyError {
  override name = 'ModelFolderMissing' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.badUsage;
  override readonly workerLacksIt = true;
  readonly model: string;
  /** Where it was looked for. */
  readonly path: string;

  constructor(model: string, path: string) {
    super(
      `There is no folder ${path}, and "${model}" is no hub id such as Qwen/Qwen3-4B. ` +
        `Correct model_name_or_path, or put the model there.`,
    );
    this.model = model;
    this.path = path;
  }
}
