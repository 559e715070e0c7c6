import { existsSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { closest } from 'fastest-levenshtein';
import { InvalidConfig } from '../config/faults.ts';
import { loadConfigFile } from '../config/load.ts';
import { resolveStudy, type Study, studyPresetPath, studyPresets } from '../config/study.ts';

/**
 * The study that a config and its overrides mean.
 *
 * @param words a file, or the name of one in configs/studies, then `key=value ...`
 * @returns what its workflow is given, and what that means
 * @throws InvalidConfig with every fault
 */
export function studyFromConfig([given = '', ...overrides]: readonly string[]): {
  readonly name: string;
  readonly input: object;
  readonly study: Study;
} {
  const { name, input } = loadConfigFile(pathOf(given), overrides, 'study');
  return { name, input, study: resolveStudy(name, input) };
}

function pathOf(given: string): string {
  if (existsSync(given) || extname(given) !== '') return resolve(given);
  const preset = studyPresetPath(given);
  if (preset !== undefined) return preset;
  const names = studyPresets().map(({ name }) => name);
  const message = `there is no such file, and no study of that name comes with Colloquy: ${names.join(', ')}; the nearest is ${closest(given, names)}`;
  throw new InvalidConfig([{ path: '', message }], given);
}
