import { readdirSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { connect, type Temporal } from '../../src/cli/server/connect.ts';
import { runCli } from '../../src/cli/run-cli.ts';
import { prunable } from '../../src/cli/commands/schedule.ts';
import { writeDocument } from '../../src/store/files/documents.ts';
import { writeRows } from '../../src/store/files/rows.ts';
import { manifestOf } from '../../src/store/models.ts';
import { addToLedger, type NightEntry, type NightPlan } from '../../src/store/series.ts';
import { noneCutOff } from '../../src/algorithm/measures/cost.ts';
import { experimentFiles, openStore } from '../../src/store/store.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { colloquy } from './colloquy.ts';
import { temporalAddress } from '../setup/temporal-address.ts';

/** Nobody works on the queue: a night that was started runs until it is ended. */
describe('colloquy schedule', () => {
  let store: string;
  let address: string;
  let temporal: Temporal;
  beforeAll(async () => {
    store = await mkdtemp(join(tmpdir(), 'colloquy-schedule-'));
    address = await temporalAddress();
    stub();
    temporal = await connect();
  });
  beforeEach(() => stub());
  afterEach(() => {
    vi.restoreAllMocks();
  });
  afterAll(async () => {
    await temporal.close();
    vi.unstubAllEnvs();
    await rm(store, { recursive: true, force: true });
  });
  const stub = (): void => {
    vi.stubEnv('COLLOQUY_STORE', store);
    vi.stubEnv('NO_COLOR', '1');
    vi.stubEnv('TEMPORAL_ADDRESS', address);
    vi.stubEnv('TEMPORAL_NAMESPACE', 'cli-schedule');
  };

  /** Runs `colloquy schedule ...` and returns what it said. */
  async function schedule(...argv: string[]) {
    const out: string[] = [];
    const err: string[] = [];
    vi.spyOn(console, 'log').mockImplementation((text: unknown) => void out.push(String(text)));
    vi.spyOn(console, 'error').mockImplementation((text: unknown) => void err.push(String(text)));
    const code = await runCli(['schedule', ...argv]);
    return { code, out: out.join('\n'), err: err.join('\n') };
  }
  const create = (name: string, ...more: string[]) =>
    schedule('create', name, 'configs/quickstart.yaml', ...more);
  const described = (name: string) => temporal.client.schedule.getHandle(name).describe();
  const endAll = async (name: string) => {
    for (const { workflow } of (await described(name)).info.runningActions)
      await temporal.client.workflow.getHandle(workflow.workflowId).terminate('test');
  };

  it('makes one that carries over, skips overlaps, catches up for 6 h and pauses after a failure', async () => {
    const { code, out } = await create(
      'usual',
      'iterations=1',
      '--at',
      '02:30',
      '--time-zone',
      'Europe/Paris',
    );
    expect(code).toBe(0);
    expect(out).toMatch(/every day at 02:30, Europe\/Paris\. Next: \d{4}-\d\d-\d\d 02:30/);
    const { policies, action } = await described('usual');
    expect(policies).toEqual({ overlap: 'SKIP', catchupWindow: 6 * 3_600_000, pauseOnFailure: true });
    expect(action).toMatchObject({ workflowType: 'experiment', workflowId: 'usual', taskQueue: 'colloquy' });
    expect(action.args).toEqual([
      expect.objectContaining({ iterations: 1, carry_over: { series: 'usual' } }),
    ]);
    expect(action.args?.[0]).not.toHaveProperty('name');
  });

  it('makes one with the given options', async () => {
    const told = [
      '--overlap',
      'buffer-one',
      '--catchup-window',
      '90m',
      '--no-pause-on-failure',
      '--no-carry-over',
    ];
    const { out } = await create(
      'told',
      '--cron',
      '0 2 * * 1-5',
      '--time-zone',
      'UTC',
      '--note',
      'by Ada',
      ...told,
    );
    expect(out).toContain('0 2 * * 1-5, UTC');
    const { policies, action, state } = await described('told');
    expect(policies).toEqual({ overlap: 'BUFFER_ONE', catchupWindow: 90 * 60_000, pauseOnFailure: false });
    expect(action.args?.[0]).not.toHaveProperty('carry_over');
    expect(state.note).toBe('by Ada');
  });

  it('lays its own series under what the config says of carry_over', async () => {
    await create('careful', 'carry_over.max_drop=0.01', '--at', '02:00');
    const { action } = await described('careful');
    expect(action.args?.[0]).toMatchObject({ carry_over: { series: 'careful', max_drop: 0.01 } });
  });

  it.each([
    [
      'a name that is a path',
      ['create', '../x', 'configs/quickstart.yaml', '--at', '02:00'],
      'cannot name a series',
    ],
    [
      'a config with a fault',
      ['create', 'x', 'configs/quickstart.yaml', 'agnets=2', '--at', '02:00'],
      'agents',
    ],
    ['no time', ['create', 'x', 'configs/quickstart.yaml'], 'Say when'],
    [
      'two times',
      ['create', 'x', 'configs/quickstart.yaml', '--at', '1:00', '--cron', '0 1 * * *'],
      'Say when',
    ],
    ['no time of day', ['create', 'x', 'configs/quickstart.yaml', '--at', '25:00'], 'time of day'],
    [
      'no time zone',
      ['create', 'x', 'configs/quickstart.yaml', '--at', '2:00', '--time-zone', 'Mars'],
      '"Mars"',
    ],
    [
      'no policy',
      ['create', 'x', 'configs/quickstart.yaml', '--at', '2:00', '--overlap', 'skp'],
      'Did you mean skip',
    ],
    [
      'no window',
      ['create', 'x', 'configs/quickstart.yaml', '--at', '2:00', '--catchup-window', '6'],
      '90m, 6h',
    ],
    [
      'no cron expression',
      ['create', 'x', 'configs/quickstart.yaml', '--cron', '0 2 * * 99'],
      'not in range',
    ],
    ['an unknown command', ['shw'], 'Did you mean show?'],
    ['no command', [], 'Usage: colloquy schedule'],
  ])('refuses %s with exit code 2, and makes nothing', async (_, argv, words) => {
    const { code, err } = await schedule(...argv);
    expect(err).toContain(words);
    expect(code).toBe(2);
    await expect(described('x')).rejects.toThrow();
  });

  it('refuses a name that is taken, and names the nearest of one that is not there', async () => {
    await create('taken', '--at', '03:00');
    expect(await create('taken', '--at', '04:00')).toMatchObject({
      code: 1,
      err: expect.stringContaining('"taken" already'),
    });
    await vi.waitFor(async () => {
      const { code, err } = await schedule('show', 'takn');
      expect(code).toBe(1);
      expect(err).toContain('Did you mean "taken"?');
    }, 15_000);
  });

  it('triggers as the overlap policy says, and shows what was skipped', async () => {
    await create('busy', '--at', '04:00');
    const first = await schedule('trigger', 'busy');
    expect(first.out).toMatch(/busy: started busy-\d{4}-\d\d-\d\dT[\d:]+Z/);
    expect((await schedule('trigger', 'busy')).out).toMatch(/skipped, because busy-\d{4}.* is still running/);
    const shown = await schedule('show', 'busy');
    expect(shown.out).toMatch(/skipped +1, because another night was still running/);
    expect(shown.out).toMatch(/Last nights:\n {2}busy-\S+ {2}running/);
    await vi.waitFor(async () => {
      expect((await schedule('list')).out).toMatch(/busy .* 1, because another night was still running/);
    }, 15_000);
    await endAll('busy');
  });

  it('shows a night that was triggered until it ends, and how to come back to it', async () => {
    await create('watched', '--at', '04:00');
    const watching = schedule('trigger', 'watched', '--watch');
    await vi.waitFor(
      async () => expect((await described('watched')).info.runningActions).toHaveLength(1),
      15_000,
    );
    await endAll('watched');
    const { code, err } = await watching;
    expect(code).toBe(1);
    expect(err).toMatch(
      /watched-\S+ failed \(\w+\): .*\n.*To go on: {2}npx colloquy status watched-\S+ --watch/,
    );
  });

  it('says which night waits for another one, when nights are buffered', async () => {
    await create('patient', '--at', '04:00', '--overlap', 'buffer-one');
    await schedule('trigger', 'patient');
    expect((await schedule('trigger', 'patient')).out).toMatch(/waits until patient-\S+ has ended/);
    expect((await schedule('show', 'patient')).out).toMatch(/waiting to start +1/);
    await schedule('delete', 'patient');
  });

  it('pauses with a note, goes on, and deletes', async () => {
    await create('paused', '--at', '05:00');
    await schedule('pause', 'paused', '--note', 'the disk is full');
    expect((await schedule('show', 'paused')).out).toMatch(
      /state +paused: the disk is full\n[\s\S]*none while it is paused/,
    );
    expect((await schedule('unpause', 'paused')).out).toMatch(/active again\. The next night: \d{4}/);
    const { out } = await schedule('show', 'paused', '--json');
    expect(JSON.parse(out)).toMatchObject({
      name: 'paused',
      state: 'active',
      reason: 'unpaused by hand',
      skipped: 0,
      nights: [],
    });
    expect((await schedule('delete', 'paused')).out).toContain('goes on with the series paused');
    expect((await schedule('show', 'paused')).code).toBe(1);
  });

  it('keeps the note with which it was made when it is paused and goes on', async () => {
    await create('noted', '--at', '05:00', '--note', 'asked for by Ada');
    await schedule('pause', 'noted', '--note', 'the disk is full');
    const { out } = await schedule('show', 'noted', '--json');
    expect(JSON.parse(out)).toMatchObject({
      state: 'paused',
      reason: 'the disk is full',
      note: 'asked for by Ada',
      overlap: 'skip',
      catchupWindowSeconds: 21_600,
      pauseOnFailure: true,
      series: 'noted',
      next: [],
      started: 0,
    });
    await schedule('unpause', 'noted');
    expect((await schedule('show', 'noted')).out).toContain('active: asked for by Ada');
  });

  it('says what its guard can tell, and why a night ended', async () => {
    const made = await create('guarded', '--at', '05:00', 'task.test_size=24');
    expect(made.out).toContain('With 24 held-out questions one question is 4.2 points, and max_drop is 3.0');
    await schedule('trigger', 'guarded');
    const { nights } = JSON.parse((await schedule('show', 'guarded', '--json')).out) as {
      nights: { experiment: string }[];
    };
    await temporal.client.workflow.getHandle(nights[0]?.experiment ?? '').terminate('by a test');
    expect((await schedule('show', 'guarded')).out).toMatch(/terminated\n {4}Terminated: /);
  });
});

describe('colloquy schedule prune', () => {
  const root = temporaryFolder();
  const store = openStore(root);
  const key = (letter: string) => letter.repeat(64);
  /** Agent 1's generation model is of the night before this one, or older; its critic of this night. */
  const agents = (generation: string, critic: string) => [
    { number: 1, models: { generation: key(generation), critic: key(critic) } },
  ];
  type Start = NonNullable<NightEntry['next']>;
  const start = (night: string, ...letters: [string, string]): Start => ({
    night,
    agents: agents(...letters),
    evaluated: { experiment: night, iteration: 1 },
  });
  const fell = (from: Start): Start => from;

  /** Writes a night with its folder, the models that it made, and its entry in the ledger. */
  async function writeNight(sequence: number, made: string, next: Start | null): Promise<void> {
    const experiment = `n${sequence}`;
    const files = experimentFiles(store, experiment);
    await writeDocument(files.config, {});
    await writeRows(files.dataset(1, 1, 'critic'), [{ experiment }]);
    await writeDocument(store.modelRequest(key(made)), { experiment });
    await writeDocument(manifestOf(store.model(key(made))), { experiment });
    const half = { accuracy: 0.5, standardError: 0.1 };
    const evaluation: NightEntry['evaluations'][number] = {
      iteration: 1,
      questions: 25,
      single: half,
      majority: half,
      debate: half,
      debateVersusBase: { wins: 0, losses: 0, pValue: 1 },
      cutOff: noneCutOff,
    };
    const entry: NightEntry = {
      formatVersion: 1,
      series: 'pruned',
      sequence,
      from: null,
      outcome: 'accepted',
      said: `Night ${sequence}`,
      experiment,
      evaluations: [evaluation],
      maxDrop: 0,
      made: agents(made, made),
      next,
      asked: [],
      position: 0,
      fixed: {},
      heldOut: '0',
      finishedAt: '2026-11-28T00:00:00.000Z',
    };
    await addToLedger(store, entry, []);
  }
  const tree = () => readdirSync(root, { recursive: true, encoding: 'utf8' }).toSorted();
  const pruned = async (...argv: string[]) => {
    vi.stubEnv('COLLOQUY_STORE', root);
    const { code, out } = await colloquy('schedule', 'prune', 'pruned', ...argv);
    vi.unstubAllEnvs();
    expect(code).toBe(0);
    return out;
  };

  it('removes the folders of old nights alone, and none that the next night or a running one refers to', async () => {
    const two = start('n2', 'b', 'b');
    // From night 4 on, the generation model is still the one that night 2 made.
    const four = start('n4', 'b', 'd');
    await writeNight(1, 'a', start('n1', 'a', 'a'));
    await writeNight(2, 'b', two);
    await writeNight(3, 'c', fell(two));
    await writeNight(4, 'd', four);
    await writeNight(5, 'e', fell(four));
    await writeNight(6, 'f', null);
    // It was overtaken by night 4 and has not taken over the evaluation of night 1 yet.
    await writeDocument(experimentFiles(store, 'running').nightPlan, {
      formatVersion: 1,
      series: 'pruned',
      configSha256: '',
      head: 1,
      start: start('n1', 'a', 'a'),
      position: 0,
      asked: [],
    } satisfies NightPlan);
    await writeDocument(experimentFiles(store, 'other').config, {});
    const before = tree();
    const inFolder = (name: string) => before.filter((path) => path === name || path.startsWith(`${name}/`));
    expect(await pruned('--keep', '1', '--dry-run')).toBe('n3\nn5\n2 nights would be removed; 4 of 6 stay.');
    expect(tree()).toEqual(before);
    expect(JSON.parse(await pruned('--keep', '1', '--json'))).toEqual({
      series: 'pruned',
      dryRun: false,
      removed: ['n3', 'n5'],
    });
    const gone = new Set([...inFolder('n3'), ...inFolder('n5')]);
    expect(gone.size).toBeGreaterThan(6);
    const left = before.filter((path) => !gone.has(path));
    expect(tree()).toEqual(left);
    expect(await pruned('--keep', '1')).toBe('0 nights removed; 6 of 6 stay.');
    rmSync(join(root, 'running'), { recursive: true });
    expect(await pruned('--keep', '0')).toContain('n1\nn6\n2 nights removed');
    // The night that the next one begins with, and the one that made one of its models.
    expect(readdirSync(root).filter((name) => /^n\d$/.test(name))).toEqual(['n2', 'n4']);
    expect(readdirSync(join(root, 'models')).filter((name) => name.length === 64)).toHaveLength(6);
  });

  it('refuses a series without nights', async () => {
    vi.stubEnv('COLLOQUY_STORE', root);
    const { code, err } = await colloquy('schedule', 'prune', 'none');
    vi.unstubAllEnvs();
    expect(code).toBe(1);
    expect(err).toContain('none');
  });
});

describe('the nights that may be removed', () => {
  const night = (experiment: string, outcome: 'accepted' | 'fell', from: string | null) =>
    ({
      experiment,
      outcome,
      next: startOf(outcome === 'accepted' ? experiment : from, experiment),
    }) as unknown as NightEntry;
  const startOf = (from: string | null, evaluatedBy: string) => ({
    night: from,
    agents: [],
    evaluated: { experiment: from ?? evaluatedBy, iteration: 1 },
    madeBy: [],
  });

  it('are neither the newest nor those that the next night needs', () => {
    const nights = [
      night('one', 'accepted', null),
      night('two', 'accepted', 'one'),
      night('three', 'fell', 'two'),
      night('four', 'fell', 'two'),
    ];
    const starts = [startOf('two', 'four')];
    expect(prunable(nights, 1, starts)).toEqual(['one', 'three']);
    expect(prunable(nights, 0, starts)).toEqual(['one', 'three', 'four']);
    expect(prunable(nights, 9, starts)).toEqual([]);
  });
});
