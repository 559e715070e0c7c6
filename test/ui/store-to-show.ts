/** A store with one experiment of each kind that the pages have to show, and what Temporal says of them: made up, and the same each time. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { resolveConfig } from '../../src/config/resolve.ts';
import { writeReport, writeSeriesReport, writeStudyReport } from '../../src/report/write.ts';
import { writeDocument } from '../../src/store/files/documents.ts';
import { addToLedger, type NightEntry, readLedger } from '../../src/store/series.ts';
import { experimentFiles, openStore, type Store } from '../../src/store/store.ts';
import type { LiveList, LiveRun } from '../../src/ui/contents.ts';
import type { LiveExperiment } from '../../src/ui/experiment-page.tsx';
import type { Live } from '../../src/ui/server.ts';
import { waitingNotes } from '../../src/workflows/waiting-notes.ts';
import { writeFinishedExperiment } from '../report/finished-experiment.ts';
import { madeUpStudy } from '../report/made-up-study.ts';
import { writeScriptedStudy } from '../report/scripted-study.ts';
import { aProgress } from '../support/a-progress.ts';

type Size = { readonly questions: number; readonly iterations: number };
type Evaluations = NightEntry['evaluations'];

const configOf = (settings: object = {}) => resolveConfig({ preset: 'quickstart', ...settings });

/** @param size of the finished experiments */
export async function writeStoreToShow(
  root: string,
  size: Size = { questions: 60, iterations: 3 },
): Promise<Store> {
  const store = openStore(root);
  const { evaluations } = await writeFinishedExperiment(join(root, 'quickstart'), {
    ...size,
    config: configOf(),
    hostileText: '</pre><script>document.title = "taken"</script><img src=x onerror=alert(1)>',
  });
  await writeReport(experimentFiles(store, 'quickstart'));
  const other = { ...size, iterations: size.iterations - 1, name: 'second', config: configOf({ seed: 1 }) };
  await writeFinishedExperiment(join(root, 'second'), other);

  await writeBegun(root, 'nightly-math', evaluations.slice(0, 2), { task: { kind: 'gsm8k' }, rounds: 3 });
  await writeBegun(root, 'over-quota', evaluations.slice(0, 1));
  await writeBegun(root, 'out-of-budget', evaluations.slice(0, 3), { budget: { tokens: 2_000_000 } });
  await writeFile(experimentFiles(store, 'out-of-budget').used.where, `${JSON.stringify(used)}\n`);
  await writeBegun(root, 'interrupted', []);

  await writeFinishedExperiment(join(root, 'damaged'), { questions: 4, iterations: 1, name: 'damaged' });
  await writeFile(join(root, 'damaged', 'result.json'), '{"formatVersion": 1, "name": "dam');

  const scripts = madeUpStudy({
    methods: ['multiagent-ft', 'single-agent', 'majority-ft'],
    seeds: 1,
    iterations: 2,
    questions: 20,
  });
  await writeStudyReport(store, 'laptop', await writeScriptedStudy(store, 'laptop', scripts));
  for (const [index, outcome] of (['accepted', 'fell', 'accepted'] as const).entries())
    await addToLedger(store, nightOf(index + 1, outcome, evaluations), []);
  await writeSeriesReport(store, 'nightly', await readLedger(store, 'nightly'));
  return store;
}

const used = { formatVersion: 1, tokens: 2_011_734, device_seconds: 812, wall_seconds: 900 };

/** An experiment that has been evaluated so far, and has not finished. */
async function writeBegun(root: string, name: string, evaluations: Evaluations, settings: object = {}) {
  const files = experimentFiles(openStore(root), name);
  if (evaluations.length > 0)
    await writeFinishedExperiment(join(root, name), {
      questions: 20,
      iterations: evaluations.length - 1,
      name,
    });
  await Promise.all(
    ['result.json', 'result.json.ref.json'].map((each) => rm(join(root, name, each), { force: true })),
  );
  await writeDocument(files.config, configOf(settings));
  for (const evaluation of evaluations)
    await writeDocument(files.evaluation(evaluation.iteration), {
      evaluation,
      tokens: { prompt: 1_000, completion: 500 },
      seconds: 12,
    });
}

function nightOf(sequence: number, outcome: NightEntry['outcome'], evaluations: Evaluations): NightEntry {
  const experiment = `nightly-2026-11-${20 + sequence}T02:00:00Z`;
  const before = evaluations[Math.max(0, sequence - 2)];
  const after = evaluations[outcome === 'fell' ? 0 : Math.min(sequence, evaluations.length - 1)];
  if (before === undefined || after === undefined) throw new Error('A night needs evaluations.');
  const start = { night: null, agents: [], evaluated: null };
  return {
    formatVersion: 1,
    series: 'nightly',
    sequence,
    experiment,
    from: null,
    outcome,
    said: `Night ${sequence} of nightly: ${outcome === 'fell' ? 'rejected, because its accuracy fell' : 'carried on'}.`,
    evaluations: [
      { ...before, iteration: 0 },
      { ...after, iteration: 1 },
    ],
    maxDrop: 0.03,
    made: [],
    next: start,
    asked: [{ cycle: 0, keys: [`${sequence}`.repeat(16)] }],
    position: 128 * sequence,
    fixed: {},
    finishedAt: `2026-11-${20 + sequence}T03:10:00.000Z`,
  };
}

const startedAt = new Date('2026-11-29T08:00:00Z');
const run = (name: string, status: string, more: Partial<LiveRun> = {}): LiveRun => ({
  name,
  kind: 'experiment',
  status,
  phase: null,
  startedAt,
  ...more,
});

const parked = aProgress({
  experiment: 'over-quota',
  state: 'parked',
  waiting: [
    {
      step: 'debate-i1-s000',
      words: 'the debates of shard 0, iteration 1',
      reason:
        'EngineRefused: http://127.0.0.1:8000/v1 answered 403: \u001b[31m<b>the quota of this key is used up</b>',
      since: '2026-11-29T08:10:00.000Z',
    },
  ],
});
const limits = { tokens: 2_000_000 };
const outOfBudget = aProgress({
  experiment: 'out-of-budget',
  state: 'parked',
  phase: 'fine-tuning',
  iteration: 2,
  unit: 'models',
  done: 2,
  total: 6,
  budget: { limits, used, counted: used.tokens },
  waiting: [
    {
      step: 'budget',
      words: 'a larger budget',
      reason: 'the budget is used up',
      since: '2026-11-29T09:00:00.000Z',
    },
  ],
});
export const debating = aProgress({
  experiment: 'nightly-math',
  iteration: 2,
  done: 4.5,
  workedSeconds: 38,
  lastLoss: { loss: 0.413, iteration: 1, agent: 3, role: 'critic' },
});

/** What Temporal says, as a test may change it: `progress` by the experiment's name. */
export type Says = {
  readonly live: Live;
  readonly progress: Map<string, LiveExperiment['progress']>;
  silent: string | null;
};

export function temporalSays(): Says {
  const progress: Says['progress'] = new Map([
    ['nightly-math', debating],
    ['over-quota', parked],
    ['out-of-budget', outOfBudget],
  ]);
  const list: LiveList = {
    runs: [
      run('nightly-math', 'running', { phase: 'iteration 2 of 3: debating' }),
      run('over-quota', 'parked', {
        phase: 'iteration 1 of 3: debating (parked)',
        waits: {
          why: '1 step could not be done: EngineRefused: the quota is used up',
          command: 'colloquy retry over-quota',
        },
      }),
      run('out-of-budget', 'parked', {
        phase: 'iteration 2 of 3: fine-tuning (parked)',
        waits: { why: 'the budget is used up', command: 'colloquy set-budget out-of-budget tokens=4000000' },
        budget: '2,011,734 of 2,000,000 tokens used',
      }),
      run('quickstart', 'completed'),
      run('elsewhere', 'failed'),
      run('laptop', 'completed', { kind: 'study' }),
    ],
    schedules: [
      {
        name: 'nightly',
        state: 'active: every night at two',
        next: '2026-11-30 02:00 UTC',
        started: '3',
        skipped: '0',
      },
    ],
  };
  const says: Says = { progress, silent: null, live: { list: told(() => list), experiment, study } };
  return says;

  function told<Value>(value: () => Value) {
    return async () => (says.silent === null ? { value: value() } : { silent: says.silent });
  }

  async function experiment(name: string) {
    return told((): LiveExperiment | null => {
      const found = progress.get(name) ?? null;
      if (name === 'elsewhere')
        return {
          status: 'FAILED',
          progress: null,
          steps: [],
          notes: [],
          failure: 'Aborted: the disk was full',
        };
      if (found === null) return null;
      return {
        status: 'RUNNING',
        progress: found,
        steps:
          found.state === 'running'
            ? ['the debates of shard 5, iteration 2 (debate-i2-s005); 96 of 192 answers']
            : [],
        notes: waitingNotes(found),
        failure: null,
      };
    })();
  }

  async function study(name: string) {
    return told(() => (name === 'laptop' ? new Map<string, string>() : null))();
  }
}

/** The pages that there are, by a name each. */
export const pagesOfUi = {
  list: '/',
  finished: '/store/quickstart/',
  running: '/store/nightly-math/',
  parked: '/store/over-quota/',
  'out-of-budget': '/store/out-of-budget/',
  interrupted: '/store/interrupted/',
  damaged: '/store/damaged/',
  elsewhere: '/store/elsewhere/',
  compare: '/compare?a=quickstart&b=second',
  study: '/store/studies/laptop/',
  series: '/store/series/nightly/',
  report: '/store/quickstart/report.html',
  debates: '/store/quickstart/debates.html',
  missing: '/store/nobody/',
} as const;
