import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectRoot } from '../src/config/installation.ts';

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'engine/README.md',
  ...readdirSync(join(projectRoot, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

/** Files that a person writes for one installation. */
const writtenByUsers = ['configs/endpoints.yaml', 'configs/trainers.yaml', 'configs/scorers.yaml'];

describe('the documentation', () => {
  it.each(pages)('%s names files of the project that exist', (page) => {
    const named = [...read(page).matchAll(/(?<![\w./-])(?:src|test|scripts|bench|configs)\/[\w./-]*\w/g)]
      .map(([path]) => path)
      // NAME stands for any name, and bench/results is what benchmarks write.
      .filter((path) => !path.includes('NAME') && !path.startsWith('bench/results'))
      .filter((path) => !writtenByUsers.includes(path));
    expect(named.filter((path) => !existsSync(join(projectRoot, path)))).toEqual([]);
  });

  it.each(pages)('%s names source files without a folder only when there is one of that name', (page) => {
    const named = [...read(page).matchAll(/`([\w-]+\.(?:tsx?|mjs|py))`/g)].map(([, name]) => name);
    expect(named.filter((name) => name !== undefined && !sources.has(name))).toEqual([]);
  });

  it.each(pages)('%s links to pages that exist', (page) => {
    const links = [...read(page).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !target.includes('://'));
    expect(links.filter((target) => !existsSync(join(projectRoot, dirname(page), target)))).toEqual([]);
  });
});

function read(page: string): string {
  return readFileSync(join(projectRoot, page), 'utf8');
}

/** The names of all source files. */
const sources = new Set(
  ['src', 'test', 'engine', 'scripts', 'bench'].flatMap((folder) =>
    readdirSync(join(projectRoot, folder), { recursive: true, encoding: 'utf8' }).map(
      (path) => path.split('/').at(-1) ?? path,
    ),
  ),
);
