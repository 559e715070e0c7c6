import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Client } from '@temporalio/client';
import { embeddedModel } from '../src/config/experiment.ts';
import { projectRoot } from '../src/config/installation.ts';
import { requireDocument } from '../src/store/files/documents.ts';
import { findModel } from '../src/store/models.ts';
import { evaluationRecordSchema, iterationRecordSchema } from '../src/store/records/rows.ts';
import { experimentFiles, openStore, type Store } from '../src/store/store.ts';
import type { Benchmark } from './benchmark.ts';
import { modelOfShape } from './shapes.ts';
import { table } from './table.ts';
import { startTemporal } from './temporal.ts';

/** The experiment, which is of one iteration: 3 agents and 2 rounds, as the quickstart's. */
const name = 'iteration';

/** The memory that a card needs for a model. */
const gigabytes = { '4b': 24, '8b': 40 };

/**
 * How long does an iteration take, and what of it? `colloquy quickstart` runs it with a worker of its own. The figures are those that the experiment
 * itself has recorded, and the whole time is Temporal's.
 */
export const iteration: Benchmark = async ({ folder, quick, shape }) => {
  mkdirSync(folder, { recursive: true });
  const model =
    shape === undefined
      ? undefined
      : await modelOfShape(shape, folder, gigabytes, ' and vLLM (docs/vllm.md)');
  const questions = quick ? 24 : model === undefined ? 150 : 500;
  await using temporal = await startTemporal(folder);
  await run(join(folder, 'runs'), temporal.address, [
    `task.train_size=${questions}`,
    `task.test_size=${questions}`,
    ...(quick ? ['allow_few_steps=true'] : []),
    ...(model === undefined
      ? []
      : [
          'model.endpoint=own',
          `model.model_name_or_path=${model}`,
          // The quickstart's own is for a model of a million parameters.
          'fine_tune.learning_rate=1e-4',
        ]),
  ]);
  const phases = await phasesOf(openStore(join(folder, 'runs')));
  const whole = await secondsOf(temporal.client);
  const [base, ...own] = phases.filter(({ part }) => !part).map(({ seconds }) => seconds);
  const alone = own.reduce((sum, seconds) => sum + seconds, 0);
  phases.push({ phase: 'all else', part: false, seconds: whole - alone - (base ?? 0) });
  const rows = phases.map(({ phase, part, seconds, trained, read, written }) => [
    part ? `  ${phase}` : phase,
    seconds.toFixed(1),
    part ? '' : `${((100 * seconds) / whole).toFixed(0)} %`,
    ...[read, written, trained].map((tokens) => tokens?.toFixed(0) ?? ''),
    perSecond(written ?? trained, seconds),
  ]);
  const head = ['', 's', 'share', 'tokens read', 'written', 'trained', 'written or trained /s'];
  return {
    text: [
      table(head, [...rows, ['all', whole.toFixed(1), '', '', '', '', '']]),
      `${shape ?? embeddedModel}: ${questions} training questions, ${questions} held out, 3 agents, 2 rounds.`,
      `The iteration alone, its debates to its evaluation: ${alone.toFixed(1)} s.`,
      'The engine starts in the evaluation of the base model, and trainers in the fine-tunes: a model has the seconds from its data to its weights.',
      'All else: Temporal, the preparation, the records and the report.',
    ].join('\n'),
    figures: { shape: shape ?? null, questions, seconds: { all: whole, iteration: alone }, phases },
  };
};

/** Runs the experiment to its end. @throws Error with what the command says */
async function run(store: string, temporalAddress: string, settings: readonly string[]): Promise<void> {
  mkdirSync(store);
  const endpoints = join(store, 'endpoints.yaml');
  writeFileSync(endpoints, JSON.stringify({ own: { kind: 'vllm' } }));
  const trainers = join(store, 'trainers.yaml');
  writeFileSync(trainers, '{}');
  const inherited = Object.entries(process.env).filter(([variable]) => !variable.startsWith('TEMPORAL_'));
  const running = promisify(execFile)(
    process.execPath,
    [
      join(projectRoot, 'bin', 'colloquy.mjs'),
      'quickstart',
      '--json',
      `name=${name}`,
      'iterations=1',
      ...settings,
    ],
    {
      cwd: projectRoot,
      maxBuffer: 2 ** 26,
      env: {
        ...Object.fromEntries(inherited),
        COLLOQUY_STORE: store,
        COLLOQUY_ENDPOINTS: endpoints,
        COLLOQUY_TRAINERS: trainers,
        TEMPORAL_ADDRESS: temporalAddress,
      },
    },
  );
  const stop = (): void => void running.child.kill();
  process.once('exit', stop);
  await running.finally(() => process.off('exit', stop));
}

type Phase = {
  readonly phase: string;
  /** Whether its seconds are within those of the phase before it. */
  readonly part: boolean;
  readonly seconds: number;
  readonly read?: number;
  readonly written?: number;
  readonly trained?: number;
};

/** From the first run's start to the last one's end, by Temporal. */
async function secondsOf(client: Client): Promise<number> {
  const times: number[] = [];
  for await (const { startTime, closeTime } of client.workflow.list({ query: `WorkflowId = '${name}'` }))
    times.push(startTime.getTime(), closeTime?.getTime() ?? Number.NaN);
  return (Math.max(...times) - Math.min(...times)) / 1000;
}

/** From the experiment's records, in the order of the work. */
async function phasesOf(store: Store): Promise<Phase[]> {
  const files = experimentFiles(store, name);
  const record = await requireDocument(files.record(1), iterationRecordSchema);
  const evaluated = async (phase: string, number: number): Promise<Phase> => {
    const { seconds, tokens } = await requireDocument(files.evaluation(number), evaluationRecordSchema);
    return { phase, part: false, seconds, read: tokens.prompt, written: tokens.completion };
  };
  const fineTunes = await Promise.all(
    record.fineTunes.map(async ({ agent, role, model }) => {
      const manifest = model === null ? null : await findModel(store, model);
      return {
        phase: `agent ${agent}, ${role}`,
        part: true,
        seconds: manifest?.seconds ?? 0,
        trained: manifest?.tokens ?? 0,
      };
    }),
  );
  const { debate } = record.tokens;
  return [
    await evaluated('evaluation of the base model', 0),
    {
      phase: 'debates',
      part: false,
      seconds: record.seconds.debate,
      read: debate.prompt,
      written: debate.completion,
    },
    { phase: 'votes and datasets', part: false, seconds: record.seconds.datasets },
    { phase: 'fine-tunes', part: false, seconds: record.seconds.fineTune, trained: record.tokens.fineTune },
    ...fineTunes,
    await evaluated('evaluation', 1),
  ];
}

function perSecond(tokens: number | undefined, seconds: number): string {
  return tokens === undefined || seconds === 0 ? '' : (tokens / seconds).toFixed(0);
}
