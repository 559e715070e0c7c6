import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { projectRoot } from '../../src/config/installation.ts';
import { workerPatienceMs } from '../../src/cli/terminal.ts';
import { searchAttributes } from '../../src/workflows/track-progress.ts';
import { taskQueues } from '../../src/workflows/temporal.ts';
import { check } from './checkers.ts';

const dockerfile = readFileSync(join(projectRoot, 'Dockerfile'), 'utf8');

describe('the Dockerfile', () => {
  it('has nothing that hadolint objects to, but that versions of Debian packages are not pinned', () => {
    expect(check('hadolint', ['--no-color', '--ignore', 'DL3008', 'Dockerfile'])).toMatchObject({
      status: 0,
      out: '',
    });
  });

  it('copies files that exist and that .dockerignore lets in', () => {
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, sources = '']) =>
      sources.split(' '),
    );
    const letIn = readFileSync(join(projectRoot, '.dockerignore'), 'utf8')
      .split('\n')
      .flatMap((line) => (line.startsWith('!') ? line.slice(1) : []));
    expect(copied.length).toBeGreaterThan(10);
    expect(copied.filter((path) => !existsSync(join(projectRoot, path)))).toEqual([]);
    expect(copied.filter((path) => !letIn.includes(path.split('/')[0] ?? ''))).toEqual([]);
  });
});

const projectSchema = z.object({
  services: z.record(
    z.string(),
    z.object({
      profiles: z.array(z.string()).optional(),
      build: z.object({ target: z.string() }).optional(),
      environment: z.record(z.string(), z.string().nullable()).nullish(),
      stop_grace_period: z.string().optional(),
      volumes: z.array(z.object({ type: z.string(), source: z.string(), target: z.string() })).optional(),
    }),
  ),
});

describe('compose.yaml', () => {
  const load = (environment: NodeJS.ProcessEnv) => check('compose', ['compose.yaml'], environment);
  const project = () => projectSchema.parse(JSON.parse(load({ TEMPORAL_DB_PASSWORD: 'secret' }).out));

  it('is a project of the Compose specification, once the database has a password', () => {
    const without = load({});
    expect(without.status).toBe(1);
    expect(without.err).toContain('Put TEMPORAL_DB_PASSWORD=… into the file .env');
    const { services } = project();
    const byDefault = Object.keys(services).filter((name) => services[name]?.profiles === undefined);
    expect(byDefault.toSorted()).toEqual([
      'postgres',
      'temporal',
      'temporal-namespace',
      'temporal-schema',
      'temporal-ui',
      'worker',
    ]);
  });

  it('builds targets of the Dockerfile, and mounts files that exist', () => {
    const services = Object.values(project().services);
    const targets = services.flatMap(({ build }) => (build ? [`AS ${build.target}\n`] : []));
    expect(targets.filter((target) => !dockerfile.includes(target))).toEqual([]);
    const mounted = services.flatMap(({ volumes = [] }) =>
      volumes.flatMap(({ type, source }) => (type === 'bind' ? source : [])),
    );
    expect(mounted).toHaveLength(5);
    expect(mounted.filter((path) => !existsSync(path))).toEqual([]);
  });

  it('gives workers the variables that Colloquy reads, and the time that they need to save their steps', () => {
    const { worker } = project().services;
    const read = readFileSync(join(projectRoot, 'src/cli/run-cli.ts'), 'utf8') + sources();
    const own = Object.keys(worker?.environment ?? {}).filter((name) => name.startsWith('COLLOQUY_'));
    expect(own.length).toBeGreaterThan(4);
    expect(own.filter((name) => !read.includes(name))).toEqual([]);
    const grace = /^(\d+)m0s$/.exec(worker?.stop_grace_period ?? '')?.[1];
    expect(Number(grace) * 60_000).toBeGreaterThan(workerPatienceMs);
  });

  it('registers the search attributes that the workflows set', () => {
    const script = readFileSync(join(projectRoot, 'deploy/compose/temporal-namespace.sh'), 'utf8');
    const listed = /^for each in (.+); do$/m.exec(script)?.[1]?.split(' ');
    const types = { KEYWORD: 'Keyword', INT: 'Int', DOUBLE: 'Double' };
    const set = Object.values(searchAttributes).map(
      ({ name, type }) => `${name.replace('Colloquy', '')}:${types[type]}`,
    );
    expect(listed?.toSorted()).toEqual(set.toSorted());
  });
});

/** The files of src that read the variables of workers. */
function sources(): string {
  return [
    'workers/start.ts',
    'workers/namespace.ts',
    'observe/log-metrics-traces.ts',
    'observe/install-runtime.ts',
    'store/store.ts',
    'config/endpoints.ts',
  ]
    .map((path) => readFileSync(join(projectRoot, 'src', path), 'utf8'))
    .join('\n');
}

it('the chart knows the task queues', () => {
  const helper = readFileSync(join(projectRoot, 'deploy/helm/colloquy/templates/_helpers.tpl'), 'utf8');
  expect(helper).toContain('if eq . "control" -}}colloquy{{- else -}}colloquy-{{ . }}');
  expect(taskQueues).toEqual({ control: 'colloquy', debate: 'colloquy-debate', gpu: 'colloquy-gpu' });
});
