import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { projectRoot } from '../../src/config/installation.ts';
import { oddNameOfProject } from '../support/scratch-folder.ts';

const scratch = mkdtempSync(join(tmpdir(), 'colloquy-package-'));
/** Where the package is installed: nothing else is there. */
const folder = join(scratch, oddNameOfProject);
const installed = join(folder, 'node_modules', 'colloquy');
let tarball: string;

/** As a person's shell has it: without what npm tells the programs that it starts, such as this test. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(?:npm_|COLLOQUY_|TEMPORAL_|VITEST|NODE_ENV)/i.test(name),
  ),
);

function run(program: string, args: readonly string[], { cwd = folder, more = {} } = {}) {
  const done = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    env: { ...environment, ...more },
    maxBuffer: 2 ** 26,
  });
  return { status: done.status, out: done.stdout, err: done.stderr };
}
const colloquy = (args: readonly string[], more: NodeJS.ProcessEnv = {}) =>
  run('npx', ['colloquy', ...args], { more });

beforeAll(() => {
  mkdirSync(folder);
  const packed = run('npm', ['pack', '--json', '--pack-destination', scratch], { cwd: projectRoot });
  const [about] = z.array(z.object({ filename: z.string() })).parse(JSON.parse(packed.out));
  tarball = join(scratch, about!.filename);
  const done = run('npm', ['install', '--omit=dev', '--no-audit', '--no-fund', tarball]);
  if (done.status !== 0) throw new Error(done.err);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('the package in an empty folder', () => {
  it('shows its help, and makes nothing', () => {
    const { status, out } = colloquy(['--help']);
    expect(status).toBe(0);
    expect(out).toContain('colloquy quickstart');
    expect(readdirSync(folder).toSorted()).toEqual(['node_modules', 'package-lock.json', 'package.json']);
  });

  it('is not confused by what is meant for other programs in the folder', () => {
    writeFileSync(
      join(folder, 'tsconfig.json'),
      '{ "compilerOptions": { "jsx": "preserve", "paths": { "*": ["./x/*"] } }',
    );
    const { status, out } = colloquy(['presets']);
    rmSync(join(folder, 'tsconfig.json'));
    expect(status).toBe(0);
    expect(out).toContain('quickstart');
  });

  it('has the versions that package.json names; npm heeds npm-shrinkwrap.json only from a registry', () => {
    const dependencies = z.object({ dependencies: z.record(z.string(), z.string()) });
    const tested = dependencies.parse(JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')));
    const packages = z.object({
      packages: z.record(z.string(), z.object({ version: z.string().optional() })),
    });
    const here = packages.parse(JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'))).packages;
    const versions = Object.keys(tested.dependencies).map((name) => {
      const own = here[`node_modules/colloquy/node_modules/${name}`] ?? here[`node_modules/${name}`];
      return [name, own?.version];
    });
    expect(Object.fromEntries(versions)).toEqual(tested.dependencies);
    expect(existsSync(join(installed, 'npm-shrinkwrap.json'))).toBe(true);
  });

  it('says before its set-up what is missing, by the command that the user types', () => {
    const { status, out } = colloquy(['doctor'], { XDG_CACHE_HOME: join(scratch, 'no-cache') });
    expect(status).toBe(1);
    expect(out).toContain('Run: npx colloquy setup');
    expect(out).not.toContain('npm run');
    expect(out).toContain(join(folder, 'runs'));
  });

  it('sets up what quickstart needs, and improves the embedded model: with its runs in the current folder', () => {
    const before = filesIn(installed);
    const settings = [
      'iterations=1',
      'task.train_size=32',
      'task.test_size=32',
      'allow_few_steps=true',
      'name=small',
    ];
    const { status, out, err } = colloquy(['quickstart', ...settings]);
    expect(status, out + err).toBe(0);
    expect(err).toContain('Colloquy: ready');
    expect(statSync(join(folder, 'runs', 'small', 'report.html')).size).toBeGreaterThan(10_000);
    expect(statSync(join(folder, 'runs', 'small', 'debates.html')).size).toBeGreaterThan(10_000);
    expect(filesIn(installed)).toEqual(before);
    const again = colloquy(['quickstart', ...settings]);
    expect(again.status).toBe(0);
    expect(again.out).toContain(`npx colloquy quickstart ${settings.join(' ')} --fresh`);
    expect(again.err).not.toContain('set-up');
  });

  it('finds nothing missing after that', () => {
    const { status, out } = colloquy(['doctor', 'quickstart']);
    expect(status, out).toBe(0);
  });
});

it('installed for all folders, it is called by its own name', () => {
  const prefix = join(scratch, 'global');
  const done = run('npm', ['install', '--global', '--prefix', prefix, '--no-audit', '--no-fund', tarball]);
  expect(done.status, done.err).toBe(0);
  const elsewhere = join(scratch, 'elsewhere');
  mkdirSync(elsewhere);
  const program = join(prefix, 'bin', 'colloquy');
  const { out } = run(program, ['doctor'], {
    cwd: elsewhere,
    more: { XDG_CACHE_HOME: join(scratch, 'no-cache') },
  });
  expect(out).toContain('Run: colloquy setup');
  expect(out).toContain(join(elsewhere, 'runs'));
});

/** The files of a folder with their times, without the byte code that Python keeps beside its sources where it may. */
function filesIn(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => !path.includes('__pycache__'))
    .map((path) => `${path} ${statSync(join(root, path)).isFile() ? statSync(join(root, path)).mtimeMs : ''}`)
    .toSorted();
}
