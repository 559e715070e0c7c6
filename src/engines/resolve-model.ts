import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { projectRoot } from '../config/project-root.ts';

/**
 * What the Python programs load for `model_name_or_path`: the absolute path when it is a folder (relative to the project's
 * root, or absolute), else the name itself, a hub id.
 *
 * @throws ModelFolderMissing when it is no folder that is there, and no hub id either
 */
export function resolveModel(modelNameOrPath: string): string {
  const path = resolve(projectRoot, modelNameOrPath);
  if (existsSync(path)) return path;
  if (hubId.test(modelNameOrPath)) return modelNameOrPath;
  throw new ModelFolderMissing(modelNameOrPath, path);
}

/** Told before an engine is started: loading Python's libraries only to hear the same takes long. */
export class ModelFolderMissing extends Error {
  override name = 'ModelFolderMissing' as const;
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

/** NAME or OWNER/NAME: https://huggingface.co/docs/huggingface_hub (validate_repo_id). */
const hubId = /^[A-Za-z0-9_][\w.-]{0,95}(?:\/[A-Za-z0-9_][\w.-]{0,95})?$/;
