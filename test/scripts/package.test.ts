import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { isPackage, readToolsFile, toolsFileOf, writeToolsFile } from '../../scripts/setup/tools-file.mjs';
import { projectRoot } from '../../src/config/installation.ts';

const manifest = z
  .object({ dependencies: z.record(z.string(), z.string()), private: z.boolean().optional() })
  .parse(JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')));

describe('the npm package', () => {
  let files: string[];
  beforeAll(() => {
    // Without the scripts that write and remove npm-shrinkwrap.json: other tests run in this folder.
    const out = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: projectRoot,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [about] = z
      .array(z.object({ files: z.array(z.object({ path: z.string() })) }))
      .parse(JSON.parse(out));
    files = about!.files.map(({ path }) => path);
    // npm takes seconds alone, and a minute where others use all cores.
  }, 300_000);

  it('holds what is needed to run: sources, configs, the engine with its model and locks, the set-up', () => {
    const folders = ['bin', 'src', 'scripts/setup', 'engine/models', 'configs/studies', 'tools/temporal'];
    const needed = [
      ...folders.flatMap((folder) =>
        readdirSync(join(projectRoot, folder), { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name).slice(projectRoot.length + 1)),
      ),
      'configs/quickstart.yaml',
      'configs/schema.json',
      'scripts/setup.mjs',
      'scripts/setup-qlora.mjs',
      ...['pyproject.toml', 'uv.lock', 'requirements.lock', 'qlora.lock', 'serve.py', 'train.py'].map(
        (name) => `engine/${name}`,
      ),
      'engine/colloquy_engine/protocol/contract.json',
      'tsconfig.json',
      'package.json',
      'LICENSE',
    ];
    expect(needed.length).toBeGreaterThan(300);
    expect(needed.filter((path) => !files.includes(path))).toEqual([]);
  });

  it('holds nothing else: no tests, no benchmarks, no byte code, no files that a user writes', () => {
    const tops = new Set(files.map((path) => path.split('/')[0]));
    expect([...tops].toSorted((a, b) => (String(a) < String(b) ? -1 : 1))).toEqual([
      'LICENSE',
      'README.md',
      'bin',
      'configs',
      'docs',
      'engine',
      'examples',
      'package.json',
      'scripts',
      'src',
      'tools',
      'tsconfig.json',
    ]);
    const unwanted =
      /(?:^|\/)(?:tests?|__pycache__|runs)\/|\.pyc$|^configs\/(?:endpoints|trainers|scorers)\.yaml$|^engine\/tests/;
    expect(files.filter((path) => unwanted.test(path))).toEqual([]);
  });

  it('imports only packages that are installed with it', () => {
    const imported = files
      .filter((path) => /\.(?:tsx?|mjs)$/.test(path))
      .flatMap((path) => importsOf(readFileSync(join(projectRoot, path), 'utf8')));
    const packages = new Set(
      imported
        .filter((name) => !/^[.#]|^node:/.test(name))
        .map((name) =>
          name
            .split('/')
            .slice(0, name.startsWith('@') ? 2 : 1)
            .join('/'),
        ),
    );
    expect(packages.size).toBeGreaterThan(25);
    expect([...packages].filter((name) => !(name in manifest.dependencies))).toEqual([]);
  });

  it('may be published', () => expect(manifest.private).toBeUndefined());
});

/** The modules that a text imports, also when it runs; not those of which it takes types alone. */
function importsOf(text: string): string[] {
  return [
    ...text.matchAll(/^(?:import|export) (?!type )(?:[^'"]*? from )?'([^']+)';$/gms),
    ...text.matchAll(/(?<![\w.] ?typeof )import\('([^']+)'\)/g),
    ...text.matchAll(/\bresolve\('([@a-z][^']+)'\)/g),
  ].flatMap(([, name]) => name ?? []);
}

describe('the paths of the tools', () => {
  it('are kept in the clone; of a package in the cache of the user, by its version and its place', () => {
    const cache = mkdtempSync(join(tmpdir(), 'colloquy-cache-'));
    const root = join(cache, 'node_modules', 'colloquy');
    const before = process.env['XDG_CACHE_HOME'];
    try {
      mkdirSync(root, { recursive: true });
      writeFileSync(join(root, 'package.json'), '{"version": "1.2.3"}');
      expect([isPackage(root), isPackage(projectRoot)]).toEqual([true, false]);
      expect(toolsFileOf(projectRoot)).toBe(join(projectRoot, '.tools.json'));
      const file = toolsFileOf(root, { XDG_CACHE_HOME: cache });
      expect(file).toMatch(/\/colloquy\/tools-1\.2\.3-[0-9a-f]{12}\.json$/);
      expect(file.startsWith(join(cache, 'colloquy'))).toBe(true);
      process.env['XDG_CACHE_HOME'] = cache;
      writeToolsFile(root, { python: '/usr/bin/python3' });
      expect(readToolsFile(root)).toEqual({ python: '/usr/bin/python3' });
      expect(readdirSync(root)).toEqual(['package.json']);
      writeFileSync(join(root, 'package.json'), '{"version": "1.2.4"}');
      expect(readToolsFile(root)).toEqual({});
    } finally {
      if (before === undefined) delete process.env['XDG_CACHE_HOME'];
      else process.env['XDG_CACHE_HOME'] = before;
      rmSync(cache, { recursive: true });
    }
  });
});
