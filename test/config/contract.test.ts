import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { trainerJobSchema } from '../../src/config/contract.ts';
import { fineTuneConfigSchema } from '../../src/config/fine-tune.ts';
import { projectRoot, tools } from '../../src/config/installation.ts';
import { contractJsonSchema } from '../../src/config/write-schema.ts';

const protocol = join(projectRoot, 'engine', 'colloquy_engine', 'protocol');

describe('protocol/contract.json', () => {
  it('matches contract.ts (else run: npx tsx src/config/write-schema.ts)', () => {
    const written: unknown = JSON.parse(readFileSync(join(protocol, 'contract.json'), 'utf8'));
    expect(written).toEqual(JSON.parse(JSON.stringify(contractJsonSchema())));
  });
});

const settings = { ...fineTuneConfigSchema.parse({}), method: 'lora' };
const job = {
  id: 'a',
  base_model: 'm',
  init_model: null,
  dataset: 'd.jsonl',
  output_dir: 'out',
  checkpoint_dir: 'checkpoints',
  seed: 1,
};

const numbers = [
  0,
  -0,
  -1,
  1,
  2,
  0.5,
  0.99,
  0.995,
  1 - 2 ** -53,
  1.5,
  512,
  513,
  999.5,
  1000,
  1000.5,
  1024,
  1025,
  4096,
  4096.5,
  4097,
  1e6,
  1e6 + 1,
  1_048_576,
  1_048_577,
  2 ** 53,
  2 ** 53 + 2,
  1e21,
  1e308,
  5e-324,
  NaN,
  Infinity,
];
const texts = '|8|true|all-linear|linear|inverse_sqrt|cosine_with_restarts|😀|a\u0000b|\ud800'.split('|');
const others = [true, false, null, {}, [], [''], ['q_proj'], ['q_proj', 1], [['q_proj']], ['\udc00']];
/** Values of a setting: of all types, and at and beyond the bounds of several settings. */
const edges: readonly unknown[] = [...numbers, ...texts, ...others];
const value = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...edges) },
  fc.double(),
  fc.double({ min: 0, max: 1 }),
  fc.integer(),
  fc.integer({ min: 1, max: 4096 }),
  fc.string(),
  fc.array(fc.string(), { maxLength: 2 }),
  fc.boolean(),
);
const name = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom(...Object.keys(settings)) },
  fc.constantFrom('lora_rank', 'Lora_r', 'warmup_steps'),
);
/** Most of them change one setting, so that only this setting decides. */
const changed = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(name, value).map((change) => Object.fromEntries([change])) },
  fc.dictionary(name, value, { maxKeys: 4 }),
);
const jobs = fc.record({
  ...Object.fromEntries(Object.entries(job).map(([key, one]) => [key, fc.constant(one)])),
  init_model: fc.constantFrom(null, null, 'adapter', ''),
  seed: fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, -1, 0.5),
  settings: changed.map((change) => ({ ...settings, ...change })),
});

const withSetting = (setting: string, one: unknown): object => ({
  ...job,
  settings: { ...settings, [setting]: one },
});
const decided = [
  ['lr_scheduler_type', 'inverse_sqrt', true],
  ['lr_scheduler_type', 'cosine_with_restarts', false],
  ['lora_alpha', 1.5, false],
  ['warmup_ratio', 0.995, true],
  ['warmup_ratio', 1, false],
] as const;
const asked: readonly unknown[] = [
  ...decided.map(([setting, one]) => withSetting(setting, one)),
  ...Object.keys(settings).flatMap((setting) => edges.map((edge) => withSetting(setting, edge))),
  ...fc.sample(jobs, { numRuns: 300, seed: 7 }),
];

describe('the trainer and `colloquy validate`', () => {
  const ours = asked.map((one) => trainerJobSchema.safeParse(one));
  let theirs: string[];
  beforeAll(() => {
    theirs = trainerVerdicts(asked.map((one, index) => JSON.stringify(ours[index]?.data ?? one)));
  });

  it('accept and refuse the same settings', () => {
    const differing = asked.flatMap((one, index) => {
      const refused = ours[index]?.error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
      return (refused === undefined) === (theirs[index] === '')
        ? []
        : [{ one, typescript: refused ?? 'accepts', python: theirs[index] }];
    });
    expect(differing).toEqual([]);
    const accepted = ours.filter(({ success }) => success).length;
    expect(accepted).toBeGreaterThan(100);
    expect(asked.length - accepted).toBeGreaterThan(100);
  });

  it.each(decided.map((one, index) => [...one, index] as const))(
    'agree on %s: %s',
    (setting, one, accepted, index) => {
      expect(fineTuneConfigSchema.safeParse({ [setting]: one }).success).toBe(accepted);
      expect(theirs[index] === '', theirs[index]).toBe(accepted);
    },
  );
});

/** Why the trainer refuses each job (JSON), or an empty text. One process does all. */
function trainerVerdicts(lines: readonly string[]): string[] {
  const { stdout, stderr, status } = spawnSync(tools().python, ['-c', program], {
    cwd: join(projectRoot, 'engine'),
    input: lines.join('\n'),
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  expect(status, stderr).toBe(0);
  const verdicts = JSON.parse(stdout) as string[];
  expect(verdicts).toHaveLength(lines.length);
  return verdicts;
}

const program = `
import json, sys
from colloquy_engine.protocol.trainer_messages import TrainingFailure, parse_job

def verdict(line):
    try:
        parse_job(line)
        return ""
    except TrainingFailure as failure:
        return str(failure)

print(json.dumps([verdict(line) for line in sys.stdin.read().split("\\n")]))
`;
