import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hubDatasets } from '../src/config/names.ts';
import { projectRoot } from '../src/config/installation.ts';
import { anchorsOf, docPages as pages, readPage as read } from './support/doc-pages.ts';

/** Files that a person writes for one installation. */
const writtenByUsers = ['configs/endpoints.yaml', 'configs/trainers.yaml', 'configs/scorers.yaml'];

describe('the documentation', () => {
  it.each(pages)('%s names files of the project that exist', (page) => {
    const named = [
      ...read(page).matchAll(/(?<![\w./-])(?:src|test|scripts|bench|configs|examples)\/[\w./-]*\w/g),
    ]
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

  it.each(pages)('%s links to headings that exist', (page) => {
    const links = [...read(page).matchAll(/\]\(([^)#\s:]*)#([^)\s]+)\)/g)].map(
      ([, target = '', anchor = '']) => ({
        target: target === '' ? page : join(dirname(page), target),
        anchor,
      }),
    );
    const broken = links.filter(
      ({ target, anchor }) => target.endsWith('.md') && !anchorsOf(read(target)).has(anchor),
    );
    expect(broken).toEqual([]);
  });
});

describe('CONTRIBUTING', () => {
  const walks = [
    ...section('Three walks through the code').matchAll(/\*\*(A[^*]+):\*\*([^]*?)(?=\n\n|$)/g),
  ].map(([, title = '', text = '']): [string, string[]] => [
    title,
    [...text.matchAll(/`((?:src|engine)\/[\w./-]+)`/g)].flatMap(([, path]) => path ?? []),
  ]);

  it('has three walks', () => expect(walks.map(([title]) => title.split(',')[0])).toHaveLength(3));

  it.each(walks)('walks with %s over at most 8 files, each with a way from an earlier one', (_, files) => {
    expect(files.length).toBeGreaterThan(3);
    expect(files.length).toBeLessThanOrEqual(8);
    const withoutWay = files.filter(
      (file, at) => at > 0 && !files.slice(0, at).some((earlier) => isNeighbour(earlier, file)),
    );
    expect(withoutWay).toEqual([]);
  });
});

/** Entry points: each is started by its name. */
const entryPoints = ['src/cli/main.ts', 'src/config/write-schema.ts', 'src/workflows/index.ts'];

describe('the folder src', () => {
  const files = sourcesIn('src');
  const code = files
    .filter((file) => /\.(?:tsx?|mjs)$/.test(file))
    .map((file) => ({ file, lines: linesOf(file) }));

  it('has at most 300 files, with a median of 70 to 230 lines', () => {
    const median = code.map(({ lines }) => lines).toSorted((a, b) => a - b)[Math.floor(code.length / 2)];
    expect(files.length, 'files in src: put small ones where their reader opens them').toBeLessThanOrEqual(
      300,
    );
    expect(median).toBeGreaterThanOrEqual(70);
    expect(median).toBeLessThanOrEqual(230);
  });

  it('has no file of more than 400 lines, and none of fewer than 25 but entry points and commands', () => {
    const long = files.filter((file) => linesOf(file) > 400);
    const short = code.filter(
      ({ file, lines }) => lines < 25 && !entryPoints.includes(file) && !file.startsWith('src/cli/commands/'),
    );
    expect({ long, short }).toEqual({ long: [], short: [] });
  });
});

describe('the kinds of tasks, endpoints and trainers', () => {
  const [folders, kinds] = [
    /^src\/(?:activities|cli|observe|serve|ui|workers|workflows)\//,
    ['arithmetic', 'jsonl', 'hub', ...Object.keys(hubDatasets), 'local', 'vllm', 'openai', 'process', 'ray'],
  ];
  const branch = new RegExp(
    String.raw`\bkind\b\)? [!=]== '(?:${kinds.join('|')})'|case '(?:${kinds.join('|')})':`,
  );

  it('are looked at by src/config and by the folder of the port, not by what uses them', () => {
    const users = sourcesIn('src').filter((file) => folders.test(file));
    expect(users.length).toBeGreaterThan(50);
    expect(users.filter((file) => branch.test(read(file)))).toEqual([]);
  });
});

function linesOf(file: string): number {
  return read(file).split('\n').length - 1;
}

/** The files of a folder, by their paths in the project. */
function sourcesIn(folder: string): string[] {
  return readdirSync(join(projectRoot, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(projectRoot, join(parentPath, name)).replaceAll('\\', '/'));
}

/** The text under a heading of CONTRIBUTING. */
function section(heading: string): string {
  return read('CONTRIBUTING.md').split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
}

/** Where something is left for another file: the store, and the ports. */
const meetingPlaces = [
  'src/store/store.ts',
  'src/engines/endpoint/endpoint.ts',
  'src/engines/trainer/trainer.ts',
];

function isNeighbour(one: string, other: string): boolean {
  const [ofOne, ofOther] = [importsOf(one), importsOf(other)];
  const meet = meetingPlaces.some((place) => ofOne.includes(place) && ofOther.includes(place));
  return meet || ofOne.includes(other) || ofOther.includes(one);
}

/** The files of the project that a file imports, or starts as a program. */
function importsOf(file: string): string[] {
  const text = read(file);
  if (file.endsWith('.py'))
    return [...text.matchAll(/^\s*from (\.?)([\w.]+) import/gm)].map(([, beside, module = '']) =>
      join(beside === '.' ? dirname(file) : 'engine', `${module.replaceAll('.', '/')}.py`),
    );
  const imported = [...text.matchAll(/ from '(\.[^']+)'/g)].map(([, path = '']) => join(dirname(file), path));
  const started = [...text.matchAll(/'engine', '([\w.]+\.py)'/g)].map(([, name]) => `engine/${name}`);
  return [...imported, ...started];
}

/** The names of all source files. */
const sources = new Set(
  ['src', 'test', 'engine', 'scripts', 'bench', 'examples'].flatMap((folder) =>
    readdirSync(join(projectRoot, folder), { recursive: true, encoding: 'utf8' }).map(
      (path) => path.split('/').at(-1) ?? path,
    ),
  ),
);
