import { readdirSync, readFileSync } from 'node:fs';
import { join, parse } from 'node:path';
import { projectRoot } from './project-root.ts';

export type Preset = {
  /** The file's name without `.yaml`. */
  readonly name: string;
  /** The file's first comment, but for the line that names the schema to editors. */
  readonly description: string;
  /** Absolute. */
  readonly path: string;
};

/** The experiments in `configs/`, by name. `endpoints.yaml` is the worker's own and no experiment. */
export function presets(folder: string = join(projectRoot, 'configs')): Preset[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.yaml') && file !== 'endpoints.yaml')
    .toSorted()
    .map((file) => {
      const path = join(folder, file);
      return { name: parse(file).name, description: firstComment(readFileSync(path, 'utf8')), path };
    });
}

function firstComment(text: string): string {
  const comments = text
    .split('\n')
    .filter((line) => line.startsWith('#') && !line.includes('yaml-language-server'));
  return (comments[0] ?? '').replace(/^#\s*/, '').trim();
}
