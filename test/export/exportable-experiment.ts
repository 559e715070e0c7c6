/** An experiment's folder with what exports read, small enough to be checked by eye: three agents, two rounds, shards of four. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { noneCutOff } from '../../src/algorithm/measures/cost.ts';
import { experimentConfigSchema } from '../../src/config/experiment.ts';
import { writeDocument } from '../../src/store/files/documents.ts';
import { writeRows } from '../../src/store/files/rows.ts';
import type { DistilledRecord } from '../../src/store/records/iteration.ts';
import type { DebateRow, IterationRecord } from '../../src/store/records/rows.ts';
import { experimentFiles, type Store } from '../../src/store/store.ts';

/** What each agent did: whether its first answer and its last one were right. */
export type Course = 'kept' | 'corrected' | 'spoilt' | 'wrong';
export const courses: readonly (readonly [Course, Course, Course])[] = [
  ['kept', 'kept', 'kept'],
  ['corrected', 'kept', 'kept'],
  ['kept', 'corrected', 'spoilt'],
  ['corrected', 'corrected', 'kept'],
  ['wrong', 'kept', 'kept'],
  // One vote each: no label where two are asked for.
  ['corrected', 'wrong', 'spoilt'],
];

export type ExportableOptions = {
  readonly iterations?: number;
  /** Whether the experiment itself has ended. */
  readonly finished?: boolean;
  readonly labelSource?: 'consensus' | 'gold';
  /** The model that a fine-tune made; null where there was nothing to learn from. */
  readonly modelOf?: (iteration: number, agent: number, role: string) => string | null;
  /** The one model of the group, after the last iteration; null where there was nothing to learn from. */
  readonly distilled?: string | null;
};

export async function writeExportableExperiment(
  store: Store,
  name: string,
  options: ExportableOptions = {},
): Promise<void> {
  const { iterations = 1, finished = true, labelSource = 'consensus', modelOf = () => null } = options;
  const files = experimentFiles(store, name);
  const config = experimentConfigSchema.parse({
    iterations,
    min_votes: 2,
    label_source: labelSource,
    prompts: 'terse',
    ...(options.distilled === undefined ? {} : { distill: {} }),
    shard_size: 4,
    task: { kind: 'arithmetic', form: 'a+b*c-d', train_size: courses.length, test_size: 4 },
    fine_tune: { lora_r: 8, lora_alpha: 16 },
  });
  await writeDocument(files.config, config);
  await writeRows(
    files.goldLabels,
    courses.map((_, index) => ({ questionId: idOf(index), answer: String(goldOf(index)) })),
  );
  for (let iteration = 0; iteration <= iterations; iteration++) {
    await writeDocument(files.evaluation(iteration), evaluationOf(iteration));
    if (iteration === 0) continue;
    const debates = courses.map((_, index) => debateOf(index));
    await writeRows(files.shard(iteration, 'train', 0), debates.slice(0, 4));
    await writeRows(files.shard(iteration, 'train', 1), debates.slice(4));
    const fineTunes: IterationRecord['fineTunes'] = [];
    for (const agent of [1, 2, 3]) {
      const generation = learnt(agent, ['kept', 'spoilt']).map((dialogue) => dialogue.slice(0, 2));
      const critic = learnt(agent, ['kept', 'corrected']);
      for (const [role, dialogues] of [
        ['generation', generation],
        ['critic', critic],
      ] as const) {
        const rows = dialogues.map((dialogue) => ({
          prompt: dialogue.slice(0, -1),
          completion: dialogue.slice(-1),
        }));
        await writeRows(files.dataset(iteration, agent, role), rows);
        const model = modelOf(iteration, agent, role);
        fineTunes.push({
          agent,
          role,
          model,
          rows: rows.length,
          steps: 2,
          finalLoss: 0.5,
          droppedRows: 0,
          losses: [],
          peakLearningRate: 1e-3,
          moved: null,
        });
      }
    }
    await writeDocument(files.record(iteration), recordOf(iteration, fineTunes));
  }
  if (options.distilled !== undefined) {
    await writeDocument(files.distilled(iterations), distilledOf(options.distilled));
    const { evaluation, ...rest } = evaluationOf(iterations);
    const own = { ...evaluation, single: { accuracy: 1, standardError: 0 } };
    await writeDocument(files.evaluation(iterations, 'distilled'), { ...rest, evaluation: own });
  }
  if (finished) await writeDocument(files.result, { name });
}

/** A finished fine-tune as the trainer leaves it, but for its weights. */
export function writeModel(
  store: Store,
  key: string,
  weights: string,
  init: string | null = null,
  form: 'adapter' | 'full' = 'adapter',
): void {
  const folder = store.model(key).where;
  mkdirSync(folder, { recursive: true });
  const contents =
    form === 'full'
      ? { 'config.json': '{"model_type": "llama"}', 'model.safetensors': weights }
      : { 'adapter_config.json': '{"peft_type": "LORA"}', 'adapter_model.safetensors': weights };
  for (const [file, content] of Object.entries(contents)) writeFileSync(join(folder, file), content);
  const manifest = {
    format_version: 1,
    base_model: { name_or_path: '/somewhere/tiny-arithmetic', sha256: 'f'.repeat(64) },
    form,
    init_model: init,
    dataset: { sha256: 'e'.repeat(64), rows: 4, dropped_rows: 0 },
    settings: { learning_rate: 8e-4, lora_r: 12, lora_alpha: 16, method: 'lora' },
    seed: 11,
    steps: 2,
    final_loss: 0.25,
    tokens: 96,
    seconds: 1,
    files: Object.fromEntries(
      Object.entries(contents).map(([file, content]) => [
        file,
        { sha256: createHash('sha256').update(content).digest('hex'), bytes: content.length },
      ]),
    ),
    versions: { peft: '0.21.2', trl: '1.16.0' },
  };
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
}

export function idOf(index: number): string {
  return `train-${String(index).padStart(5, '0')}`;
}

function goldOf(index: number): number {
  return 2 + 3 * (index + 2) - 4;
}

function debateOf(index: number): DebateRow {
  const gold = goldOf(index);
  const text = `2+3*${index + 2}-4`;
  const write = (answer: number) => ({ role: 'assistant' as const, content: String.raw`\boxed{${answer}}` });
  const of = courses[index] ?? [];
  const right = of.map((course) => [
    course === 'kept' || course === 'spoilt',
    course === 'kept' || course === 'corrected',
  ]);
  // Each agent is wrong in its own way, so that the wrong never have a majority.
  const answers = right.map((rounds, agent) => rounds.map((is) => (is ? gold : gold + agent + 1)));
  const dialogues = answers.map(([first = 0, last = 0]) => [
    { role: 'user' as const, content: text },
    write(first),
    { role: 'user' as const, content: '>others' },
    write(last),
  ]);
  const vote = (round: number) => {
    const votes = right.filter((rounds) => rounds[round]).length;
    return { answer: String(gold), votes, tied: votes === 1 ? 3 : 1 };
  };
  return {
    question: { id: idOf(index), text },
    dialogues,
    answers: answers.map((rounds) => rounds.map(String)),
    majority: vote(0),
    consensus: vote(1),
    agrees: right,
    finishReasons: { responses: right.map((rounds) => rounds.map(() => 'stop')), summaries: [] },
    tokens: { prompt: 1, completion: 1, firstRound: 1 },
    truncated: 0,
  };
}

/** The dialogues of an agent that took one of these courses, of questions with two votes. */
function learnt(agent: number, wanted: readonly Course[]) {
  return courses.flatMap((of, index) => {
    const debate = debateOf(index);
    const course = of[agent - 1];
    return debate.consensus.votes >= 2 && course !== undefined && wanted.includes(course)
      ? [debate.dialogues[agent - 1] ?? []]
      : [];
  });
}

function distilledOf(model: string | null): DistilledRecord {
  const nothing = { droppedRows: 0, losses: [], peakLearningRate: null, moved: null };
  return {
    from: 'best',
    objective: 'dpo',
    labelled: 5,
    agreed: [2, 3, 4],
    dataset: { agents: [3], role: 'distilled', rows: 4, parts: {}, cut: 0, objective: 'dpo' },
    fineTune: { agent: 1, role: 'distilled', model, rows: 4, steps: 2, finalLoss: 0.5, ...nothing },
    tokens: 96,
    seconds: { dataset: 1, fineTune: 1 },
  };
}

function recordOf(iteration: number, fineTunes: IterationRecord['fineTunes']): IterationRecord {
  const part = { available: 1, used: 1 };
  return {
    iteration,
    consensus: {
      questions: courses.length,
      unanimous: 3,
      ties: 1,
      withoutLabel: 1,
      unparsableAnswers: 0,
      truncatedPrompts: 0,
    },
    cutOff: noneCutOff,
    datasets: [1, 2, 3].flatMap((agent) => [
      { agents: [agent], role: 'generation', rows: 4, parts: {}, cut: 0 },
      { agents: [agent], role: 'critic', rows: 4, parts: { corrected: part, kept: part }, cut: 0 },
    ]),
    fineTunes,
    tokens: { debate: { prompt: 1, completion: 1 }, fineTune: 1 },
    seconds: { debate: 1, datasets: 1, fineTune: 1 },
  };
}

function evaluationOf(iteration: number) {
  const figure = (accuracy: number) => ({ accuracy, standardError: 0.25 });
  return {
    evaluation: {
      iteration,
      questions: 4,
      single: figure(0.5),
      majority: figure(0.5),
      debate: figure(iteration === 0 ? 0.5 : 0.75),
      debateVersusBase: { wins: iteration, losses: 0, pValue: 1 },
    },
    tokens: { prompt: 1, completion: 1 },
    seconds: 1,
  };
}
