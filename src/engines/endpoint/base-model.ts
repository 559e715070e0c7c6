/** Which base model a name means where this worker runs. */
import { createHash } from 'node:crypto';
import { pathExists } from '../../config/load.ts';
import { isHubId, modelPath } from '../../config/model-name.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { type BaseModel, baseModelHash } from '../../store/models.ts';

/**
 * The base model that an experiment's config names. Its weights are hashed where they are in a folder here.
 *
 * @throws ModelFolderMissing
 */
export async function identifyBaseModel(endpoint: string, modelNameOrPath: string): Promise<BaseModel> {
  const weights = shortened(await baseModelHash(resolveModel(modelNameOrPath)));
  return { endpoint, name: modelNameOrPath, revision: null, weights };
}

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
