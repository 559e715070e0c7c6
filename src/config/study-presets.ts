import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Preset, presets } from './presets.ts';
import { projectRoot } from './project-root.ts';

const folder = join(projectRoot, 'configs', 'studies');

/** The studies in `configs/studies/`, by name. */
export function studyPresets(): Preset[] {
  return presets(folder);
}

/** The file of a study that comes with Colloquy; undefined when there is none of that name. */
export function studyPresetPath(name: string): string | undefined {
  const path = join(folder, `${name}.yaml`);
  return /^[\w-]+$/.test(name) && existsSync(path) ? path : undefined;
}
