import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { projectRoot } from '../config/project-root.ts';

/**
 * What the Python programs load for `model_name_or_path`: the absolute path when it is a folder (relative to the project's
 * root, or absolute), else the name itself, a hub id.
 */
export function resolveModel(modelNameOrPath: string): string {
  const path = resolve(projectRoot, modelNameOrPath);
  return existsSync(path) ? path : modelNameOrPath;
}
