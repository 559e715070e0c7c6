/** Which base model a name means where this worker runs, and whether it is still the one with which an experiment began. */
import { join } from 'node:path';
import { pathExists } from '../../config/load.ts';
import { isHubId, modelLocation, modelPath } from '../../config/agents.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';
import {
  cachedFiles,
  decidingFiles,
  type FileHashes,
  hashOfFiles,
  shortened,
  weightsName,
} from '../../store/base-model-files.ts';
import { ArtifactMissing } from '../../store/errors.ts';
import { type BaseModel, filesInManifest } from '../../store/models.ts';

/**
 * The base model that an experiment's config names. Its weights, and the other files that decide its answers, are hashed where they are in a
 * folder here. Any other name is a name that its server has for it.
 */
export async function identifyBaseModel(endpoint: string, modelNameOrPath: string): Promise<BaseModel> {
  const location = modelLocation(modelNameOrPath);
  const weights = await weightsName(location);
  const files = await decidingFiles(location);
  return {
    endpoint,
    name: modelNameOrPath,
    revision: null,
    weights,
    ...(Object.keys(files).length === 0 ? {} : { files: hashOfFiles(files) }),
  };
}

/**
 * A whole model that was made here, as a base model of its own. Its weights are named by its manifest: they were compared with it when
 * the model was found, and it may have many gigabytes.
 *
 * @param folder absolute
 * @throws ArtifactMissing
 */
export async function identifyWholeModel(endpoint: string, folder: string): Promise<BaseModel> {
  const files = await filesInManifest(folder);
  if (files === null) throw new ArtifactMissing(join(folder, 'manifest.json'));
  const hashes = Object.entries(files)
    .filter(([name]) => name.endsWith('.safetensors'))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { sha256 }]) => `${name}:${sha256}`);
  return { endpoint, name: folder, revision: null, weights: shortened(hashes.join(',')) };
}

/** For each step of a run. @throws BaseModelChanged when the folder of `base` has other files now, if both hosts have one; ModelFolderMissing */
export async function requireSameWeights(base: BaseModel): Promise<void> {
  // At that time its weights were read from a folder.
  const where = base.weights === base.name ? modelLocation(base.name) : resolveModel(base.name);
  const now = await identifyBaseModel(base.endpoint, base.name);
  if (now.weights !== base.weights) throw new BaseModelChanged(where, [weightsChange(base, now)]);
  if (now.files !== undefined && base.files !== undefined && now.files !== base.files)
    throw new BaseModelChanged(where, [
      { what: 'tokenizer, chat template or configuration', before: base.files, after: now.files },
    ]);
}

/** A base model with the hashes of its files, as an experiment keeps them: see `begunWithSchema`. */
export type KnownBaseModel = { readonly base: BaseModel; readonly files: FileHashes };

/** The files of a base model that decide its answers: in its folder, or in the cache of the hub; none that another host keeps. */
export async function filesOfBaseModel({ name }: BaseModel): Promise<FileHashes> {
  const location = modelLocation(name);
  return location === name && isHubId(name) ? cachedFiles(name) : decidingFiles(location);
}

/**
 * For an experiment that is prepared again.
 *
 * @param folder of the experiment, which the message names
 * @throws BaseModelChanged when weights, another file, or the name under which a hosted model answers are no longer those of `begun`
 */
export function requireSameBaseModel(begun: KnownBaseModel, now: KnownBaseModel, folder: string): void {
  const changes: Change[] = [];
  if (now.base.weights !== begun.base.weights) changes.push(weightsChange(begun.base, now.base));
  if (now.base.revision !== begun.base.revision) {
    const answeredAs = ({ base }: KnownBaseModel) => base.revision ?? base.name;
    changes.push({ what: 'name under which it answers', before: answeredAs(begun), after: answeredAs(now) });
  }
  // What the cache of the hub has grows with what has loaded the model.
  const partial = begun.base.files === undefined || now.base.files === undefined;
  for (const name of new Set([...Object.keys(begun.files), ...Object.keys(now.files)])) {
    const [before, after] = [begun.files[name], now.files[name]];
    if (before === after || (partial && (before === undefined || after === undefined))) continue;
    changes.push({ what: name, before: before ?? 'not there', after: after ?? 'not there' });
  }
  if (changes.length > 0) throw new BaseModelChanged(modelLocation(begun.base.name), changes, folder);
}

type Change = { readonly what: string; readonly before: string; readonly after: string };

function weightsChange({ weights: before }: BaseModel, { weights: after }: BaseModel): Change {
  return { what: 'weights', before, after };
}

/** The base model is no longer the one with which the experiment began: its folder has other files, or a server has another model. */
export class BaseModelChanged extends ColloquyError {
  override name = 'BaseModelChanged' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  override readonly workerLacksIt = true;
  /** The folder, or the name where another host keeps the model. */
  readonly model: string;

  /** @param folder of the experiment */
  constructor(model: string, changes: readonly Change[], folder?: string) {
    const listed = changes.map(({ what, before, after }) => `  ${what}: ${before} then, ${after} now`);
    super(
      `The base model ${model} is not the one that this experiment began with:\n${listed.join('\n')}\n` +
        `Put the old one back and try again. To use the new one, start another experiment under a new name` +
        `${folder === undefined ? '' : `, or remove ${folder}`}: this one keeps the debates of the old model, so it must not go on with another one.`,
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
