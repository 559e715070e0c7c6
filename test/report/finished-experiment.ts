/** A finished experiment's folder, as the pipeline would leave it: made up, but consistent, and the same each time. */
import { join } from 'node:path';
import { majorityVote, shortAnswers } from '../../src/algorithm/answer.ts';
import { agreement, type Debate } from '../../src/algorithm/debate.ts';
import { evaluate, markOf, outcomeOf, type Outcome } from '../../src/algorithm/evaluation.ts';
import { draw } from '../../src/algorithm/random.ts';
import type { DebateRow } from '../../src/store/records/rows.ts';
import { writeDocument } from '../../src/store/files/documents.ts';
import type { ExperimentResult } from '../../src/store/records/result.ts';
import { writeRows } from '../../src/store/files/rows.ts';
import { placeAt } from '../support/places.ts';

export type FixtureOptions = {
  readonly name?: string;
  readonly questions?: number;
  readonly iterations?: number;
  /** Put into the text of the first question's first response. */
  readonly hostileText?: string;
  /** The content of config.json. Default: a plausible one. */
  readonly config?: object;
};

const equal = (a: string, b: string): boolean => a === b;
/** How often a model is right in round 1 after each iteration: base, 1, 2, 3. */
const skill = [0.6, 0.7, 0.77, 0.81];

/** Writes the folder and returns the result that it holds. */
export async function writeFinishedExperiment(
  folder: string,
  options: FixtureOptions = {},
): Promise<ExperimentResult> {
  const { name = 'quickstart', questions = 500, iterations = 3 } = options;
  const evaluations: ExperimentResult['evaluations'] = [];
  const rows: object[] = [];
  let base: Outcome[] = [];
  for (let iteration = 0; iteration <= iterations; iteration++) {
    const debates = await Promise.all(
      Array.from({ length: questions }, (_, index) => heldOutDebate(index, iteration, options.hostileText)),
    );
    const outcomes = await Promise.all(
      debates.map(({ debate, gold }) => outcomeOf(debate, { answer: gold }, shortAnswers(equal))),
    );
    if (iteration === 0) base = outcomes;
    evaluations.push(evaluate(iteration, outcomes.map(markOf), base.map(markOf)));
    rows.push(...outcomes.map((outcome) => ({ ...outcome, iteration })));
    await writeRows(placeAt(join(folder, `iteration-${iteration}`, 'outcomes.jsonl')), outcomes);
    await writeShards(
      join(folder, `iteration-${iteration}`, 'evaluation'),
      debates.map(({ debate }) => debate),
    );
  }
  const result = resultOf(name, evaluations);
  await writeRows(placeAt(join(folder, 'evaluation.jsonl')), rows);
  await writeDocument(placeAt(join(folder, 'config.json')), options.config ?? fixtureConfig(iterations));
  await writeDocument(placeAt(join(folder, 'result.json')), result);
  return result;
}

async function heldOutDebate(index: number, iteration: number, hostileText = '') {
  const id = `heldout-${String(index).padStart(5, '0')}`;
  const at = (purpose: string, agent: number) => ({ seed: 7, iteration, purpose, question: id, agent });
  // The operands and the difficulty belong to the question, not to the iteration.
  const operand = (agent: number) =>
    draw({ seed: 7, iteration: 0, purpose: 'operand', question: id, agent }, 30);
  const [a, b, c, d] = [operand(1), operand(2), operand(3), operand(4)] as const;
  const hard = draw({ seed: 7, iteration: 0, purpose: 'hard', question: id }, 100) / 100 - 0.5;
  const gold = a + b * c - d;
  const right = Math.min(0.98, Math.max(0.02, (skill[iteration] ?? 0.82) - hard * 0.6));
  const answerOf = (agent: number, round: number, chance: number) =>
    draw(at(`round ${round}`, agent), 1000) / 1000 < chance
      ? gold
      : gold + 1 + draw(at(`slip ${round}`, agent), 12);
  const write = (answer: number) =>
    `${b}*${c}=${b * c};${a}+${b * c}=${a + b * c};${a + b * c}-${d}=${answer};\\boxed{${answer}}`;
  const firsts = [1, 2, 3].map((agent) => answerOf(agent, 1, right));
  const seconds = firsts.map((first, agent) => {
    const others = firsts.filter((other, index) => index !== agent && other === gold).length;
    const stays = draw(at('stays', agent), 100) < 70;
    return stays ? first : answerOf(agent + 1, 2, Math.min(0.98, right + others * 0.25));
  });
  const text = `${a}+${b}*${c}-${d}`;
  const dialogues = firsts.map((first, agent) => [
    { role: 'user' as const, content: text },
    { role: 'assistant' as const, content: write(first) + (index === 0 && agent === 0 ? hostileText : '') },
    { role: 'user' as const, content: `~${firsts.filter((_, other) => other !== agent).join(',')}` },
    { role: 'assistant' as const, content: write(seconds[agent]!) },
  ]);
  const answers = firsts.map((first, agent) => [String(first), String(seconds[agent])]);
  const majority = await majorityVote(firsts.map(String), equal, at('majority', 0));
  const consensus = await majorityVote(seconds.map(String), equal, at('consensus', 0));
  const debate: DebateRow = {
    question: { id, text },
    dialogues,
    answers,
    majority,
    consensus,
    agrees: await agreement(answers, consensus.answer, equal),
    finishReasons: { responses: answers.map((rounds) => rounds.map(() => 'stop')), summaries: [] },
    tokens: { prompt: 120, completion: 96, firstRound: 90 },
    truncated: 0,
  };
  return { debate, gold: String(gold) };
}

async function writeShards(folder: string, debates: readonly Debate[]): Promise<void> {
  for (let shard = 0; shard * 32 < debates.length; shard++) {
    const path = join(folder, `shard-${String(shard).padStart(3, '0')}.jsonl`);
    await writeRows(placeAt(path), debates.slice(shard * 32, (shard + 1) * 32));
  }
}

function resultOf(name: string, evaluations: ExperimentResult['evaluations']): ExperimentResult {
  const key = 'a'.repeat(64);
  return {
    formatVersion: 1,
    name,
    evaluations,
    equalTokens: [],
    transfer: [],
    warnings: [],
    iterations: evaluations.slice(1).map(({ iteration }) => ({
      iteration,
      consensus: {
        questions: 500,
        unanimous: 180 + 60 * iteration,
        ties: 61 - 12 * iteration,
        withoutLabel: 3,
        unparsableAnswers: 14,
        truncatedPrompts: 0,
      },
      cutOff: {
        responses: { cut: 42, of: 3000, share: 42 / 3000 },
        summaries: { cut: 0, of: 0, share: null },
      },
      datasets: [1, 2, 3].flatMap((agent) => [
        { agents: [agent], role: 'generation', rows: 300 + 25 * iteration + agent * 7, parts: {}, cut: 0 },
        {
          agents: [agent],
          role: 'critic',
          rows: 171 - 20 * iteration + agent * 3,
          parts: {
            corrected: { available: 90 - 10 * iteration, used: 85 - 10 * iteration },
            kept: { available: 290 + 25 * iteration, used: 86 - 10 * iteration },
          },
          cut: 2,
        },
      ]),
      fineTunes: [1, 2, 3].flatMap((agent) =>
        (['generation', 'critic'] as const).map((role) => ({
          agent,
          role,
          model: agent === 3 && role === 'critic' && iteration === 3 ? null : key,
          rows: 300,
          steps: 40,
          finalLoss: 0.31 / iteration + agent / 100,
          droppedRows: agent === 1 ? 4 : 0,
          losses: Array.from({ length: 40 }, (_, step) => ({
            step: step + 1,
            loss: 0.31 / iteration + agent / 100 + 0.4 / (step + 1),
          })),
          peakLearningRate: 3e-4,
          moved: { klPerToken: agent === 2 ? 3e-7 : 0.007, tokens: 1_200, rows: 32 },
        })),
      ),
    })),
    tokens: {
      debate: { prompt: 412_331, completion: 301_882 },
      evaluation: { prompt: 511_020, completion: 377_540 },
      fineTune: 1_204_112,
    },
    seconds: { evaluation: 71.2, debate: 58.4, datasets: 1.3, fineTune: 141.8, total: 276.9 },
    versions: {
      colloquy: '0.1.0',
      node: '20.20.2',
      python: '3.11.2',
      torch: '2.9.1',
      transformers: '5.0.0',
      peft: '0.18.0',
      trl: '0.26.0',
    },
    files: { config: 'config.json', evaluation: 'evaluation.jsonl', report: 'report.html' },
  };
}

function fixtureConfig(iterations: number): object {
  return {
    seed: 0,
    agents: 3,
    rounds: 2,
    iterations,
    summarize: true,
    max_others: 5,
    critic_weight: 0.5,
    init_from: 'previous',
    label_source: 'consensus',
    prompts: 'terse',
    task: { kind: 'arithmetic', form: 'a+b*c-d', range: [0, 30], train_size: 500, test_size: 500 },
    model: { endpoint: 'local', model_name_or_path: 'engine/models/tiny-arithmetic' },
    sampling: { temperature: 1, top_p: 0.9, max_tokens: 64 },
    fine_tune: { learning_rate: 0.0003, num_train_epochs: 2, lora_r: 16, lora_alpha: 32 },
  };
}
