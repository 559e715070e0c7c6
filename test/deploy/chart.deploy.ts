import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { z } from 'zod';
import { workerPatienceMs } from '../../src/cli/terminal.ts';
import { projectRoot } from '../../src/config/installation.ts';
import { check, checkers } from './checkers.ts';

const chart = join(projectRoot, 'deploy', 'helm', 'colloquy');
const kubernetes = '1.34';
const least = {
  image: { repository: 'registry.example/colloquy', tag: '0.1.0' },
  temporal: { address: 'temporal-frontend:7233' },
};

const objectSchema = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
  spec: z.looseObject({}).optional(),
});
type KubernetesObject = z.infer<typeof objectSchema>;

// Of a plain name: kubeconform finds no schemas in a folder with a # in its path.
const folder = mkdtempSync(join(tmpdir(), 'colloquy-chart-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function template(values: object, release = 'nightly'): ReturnType<typeof check> {
  const file = join(folder, `values-${Math.abs(JSON.stringify(values).length)}.yaml`);
  writeFileSync(file, stringify(values));
  return check('helm', ['template', release, chart, '--kube-version', `${kubernetes}.0`, '--values', file]);
}

function rendered(values: object): KubernetesObject[] {
  const { status, out, err } = template(values);
  expect(err, out).toBe('');
  expect(status).toBe(0);
  return parseAllDocuments(out).map((document) => objectSchema.parse(document.toJS()));
}

const of = (objects: readonly KubernetesObject[], kind: string) =>
  objects.filter((each) => each.kind === kind);
const names = (objects: readonly KubernetesObject[]) =>
  objects.map(({ metadata }) => metadata.name).toSorted();

/** Everything that the chart can make. */
const full = {
  ...least,
  temporal: {
    address: 'ns.acct.tmprl.cloud:7233',
    namespace: 'ns.acct',
    apiKey: { secret: 'temporal-key', key: 'apiKey' },
    tls: { enabled: true, serverName: 'ns.acct.tmprl.cloud', secret: 'temporal-client' },
    searchAttributes: true,
  },
  versions: [
    { buildId: 'v2', tag: '0.2.0' },
    { buildId: 'V1.9_rc', tag: '0.1.0' },
  ],
  store: { uri: 's3://bucket/runs', endpoint: 'https://s3.example', region: 'eu-west-1' },
  endpoints: { mine: { kind: 'vllm', url: 'http://vllm:8000', api_key_env: 'MINE_KEY' } },
  trainers: { local: { kind: 'process', padding_free: true } },
  envFrom: [{ secretRef: { name: 'keys' } }],
  serviceAccount: { annotations: { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::1:role/x' } },
  priorityClassName: 'batch',
  image: { ...least.image, pullSecrets: ['registry'] },
};

describe('the chart', () => {
  it('passes helm lint', () => {
    const file = join(folder, 'least.yaml');
    writeFileSync(file, stringify(least));
    const { status, out } = check('helm', [
      'lint',
      '--strict',
      chart,
      '--values',
      file,
      '--kube-version',
      kubernetes,
    ]);
    expect(status, out).toBe(0);
  });

  it.each([
    ['the least values', least],
    ['all values', full],
  ])('makes objects that Kubernetes and KEDA know, from %s', (_, values) => {
    const { out } = template(values);
    const { status, summary } = conforms(out);
    expect(summary).toContain('Invalid: 0, Errors: 0, Skipped: 0');
    expect(status).toBe(0);
  });

  it('makes objects whose faults would be found', () => {
    const { out } = template(least);
    expect(conforms(out.replace('maxReplicaCount:', 'maxReplicas:')).summary).toContain('maxReplicas');
    expect(
      conforms(out.replace('terminationGracePeriodSeconds: 180', 'terminationGracePeriodSeconds: long'))
        .status,
    ).toBe(1);
  });

  it('has workers by task queue; those of debates and fine-tunes come when there is work', () => {
    const objects = rendered(least);
    expect(names(of(objects, 'Deployment'))).toEqual(['nightly-control', 'nightly-debate', 'nightly-gpu']);
    const scaled = of(objects, 'ScaledObject');
    expect(names(scaled)).toEqual(['nightly-debate', 'nightly-gpu']);
    expect(scaled.map(({ spec }) => spec?.['minReplicaCount'])).toEqual([0, 0]);
    expect(JSON.stringify(scaled)).toContain('"taskQueue":"colloquy-gpu","queueTypes":"activity"');
    // What KEDA scales has no number of its own, which an upgrade would set back.
    const own = of(objects, 'Deployment').map(({ spec }) => 'replicas' in (spec ?? {}));
    expect(own).toEqual([true, false, false]);
    expect(names(of(objects, 'PodDisruptionBudget'))).toHaveLength(3);
    expect(names(of(objects, 'PersistentVolumeClaim'))).toEqual(['nightly-store']);
  });

  it('gives a pod of fine-tunes one graphics card, and replaces it without a second one', () => {
    const [, , gpu] = of(rendered(least), 'Deployment');
    expect(gpu?.spec?.['strategy']).toEqual({ type: 'Recreate' });
    expect(JSON.stringify(gpu)).toContain('"limits":{"memory":"64Gi","nvidia.com/gpu":1}');
    expect(JSON.stringify(gpu)).toContain('registry.example/colloquy:0.1.0-gpu');
  });

  it('gives pods more time than a worker takes to save its steps', () => {
    const podSchema = z.object({
      template: z.object({ spec: z.object({ terminationGracePeriodSeconds: z.number() }) }),
    });
    for (const { spec } of of(rendered(least), 'Deployment'))
      expect(podSchema.parse(spec).template.spec.terminationGracePeriodSeconds * 1000).toBeGreaterThan(
        workerPatienceMs,
      );
    expect(template({ ...least, terminationGracePeriodSeconds: 30 }).err).toContain(
      'terminationGracePeriodSeconds',
    );
  });

  it('keeps the workers of each version that is not drained, and tells KEDA and Temporal which is which', () => {
    const objects = rendered(full);
    expect(names(of(objects, 'Deployment'))).toEqual([
      'nightly-control-v1-9-rc',
      'nightly-control-v2',
      'nightly-debate-v1-9-rc',
      'nightly-debate-v2',
      'nightly-gpu-v1-9-rc',
      'nightly-gpu-v2',
    ]);
    const old = JSON.stringify(objects.filter(({ metadata }) => metadata.name === 'nightly-gpu-v1-9-rc'));
    expect(old).toContain('{"name":"COLLOQUY_BUILD_ID","value":"V1.9_rc"}');
    expect(old).toContain('"workerDeploymentName":"colloquy","workerDeploymentBuildId":"V1.9_rc"');
    expect(old).toContain('registry.example/colloquy:0.1.0-gpu');
  });

  it('names secrets and holds none; a store on S3 needs no volume of its own', () => {
    const objects = rendered(full);
    expect(of(objects, 'Secret')).toEqual([]);
    expect(of(objects, 'PersistentVolumeClaim')).toEqual([]);
    const text = JSON.stringify(of(objects, 'Deployment')[0]);
    expect(text).toContain('"secretKeyRef":{"name":"temporal-key","key":"apiKey"}');
    expect(text).toContain('{"name":"COLLOQUY_STORE","value":"s3://bucket/runs"}');
  });

  it.each([
    [{ ...least, workerz: {} }, 'workerz'],
    [{ ...least, temporal: { address: 'no-port' } }, 'temporal'],
    [{ ...least, workers: { gpu: { gpus: 0 } } }, 'gpus'],
    [{ ...least, workers: { debate: { queues: ['debates'] } } }, 'queues'],
    [{ ...least, store: { uri: 'gs://bucket' } }, 'uri'],
    [{ temporal: least.temporal }, 'repository'],
  ])('refuses values that cannot be meant: %j', (values, named) => {
    const { status, err } = template(values);
    expect(status).toBe(1);
    expect(err).toContain(named);
  });
});

/** Compares objects with the schemas of Kubernetes, and with those of KEDA's objects in this folder; unknown fields are faults. */
function conforms(objects: string): { readonly status: number | null; readonly summary: string } {
  const file = join(folder, 'objects.yaml');
  writeFileSync(file, objects);
  const kinds = '{{.ResourceKind}}{{.KindSuffix}}.json';
  const schemas = [`${kubernetesSchemas()}/${kinds}`, join(projectRoot, 'test/deploy/keda', kinds)];
  const { status, out, err } = check('kubeconform', [
    '-strict',
    '-summary',
    ...schemas.flatMap((each) => ['-schema-location', each]),
    file,
  ]);
  return { status, summary: out + err };
}

let written: string | undefined;

/** A folder with the schemas that kubernetes-validate brings, as kubeconform reads them: without references to other files. */
function kubernetesSchemas(): string {
  if (written !== undefined) return written;
  written = join(folder, 'kubernetes');
  mkdirSync(written);
  const program = join(projectRoot, 'test', 'deploy', 'inline_schemas.py');
  const done = spawnSync(join(checkers, 'bin', 'python'), [program, kubernetes, written], {
    encoding: 'utf8',
  });
  expect(done.stderr).toBe('');
  return written;
}
