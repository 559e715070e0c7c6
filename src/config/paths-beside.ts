import { existsSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { type ConfigInput, isConfigInput } from './merge-config.ts';

/**
 * A config whose relative paths of task files mean what whoever wrote it sees from where it was written: those that are there become
 * absolute. Others stay as they are, and are looked for from the worker's folder: it may be on another machine.
 */
export function pathsBeside(folder: string, config: ConfigInput): ConfigInput {
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [key, pathsIn(folder, key, value)]));
}

const pathKeys = new Set(['train_file', 'test_file', 'dataset_path', 'train_dataset_path', 'decontaminate']);

function pathsIn(folder: string, key: string, value: unknown): unknown {
  if (isConfigInput(value)) return pathsBeside(folder, value);
  if (Array.isArray(value)) return value.map((each) => pathsIn(folder, key, each));
  if (typeof value !== 'string' || !pathKeys.has(key) || isAbsolute(value)) return value;
  const path = resolve(folder, value);
  return existsSync(path) ? path : value;
}
