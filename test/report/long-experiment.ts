/** A finished experiment with responses as long as a chat model's: made up, the same each time, written a shard at a time. */
import { join } from 'node:path';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { majorityVote, shortAnswers } from '../../src/algorithm/answer.ts';
import { agreement } from '../../src/algorithm/debate.ts';
import { type Outcome, outcomeOf } from '../../src/algorithm/evaluation.ts';
import type { DebateRow } from '../../src/store/records/rows.ts';
import { writeRows } from '../../src/store/files/rows.ts';
import { placeAt } from '../support/places.ts';

export type LongExperiment = {
  readonly questions: number;
  /** Debated in each iteration after the base model's. */
  readonly trainingQuestions: number;
  /** The last one; 0 the base model alone. */
  readonly iterations: number;
  readonly summarize: boolean;
};

const agents = 3;
const shardSize = 100;
const equal = (a: string, b: string): boolean => a === b;

/** Writes the shards of iteration-I/evaluation and iteration-I/debates, and iteration-I/outcomes.jsonl. A response has about 1 kB. */
export async function writeLongExperiment(folder: string, options: LongExperiment): Promise<void> {
  for (let iteration = 0; iteration <= options.iterations; iteration++) {
    const within = join(folder, `iteration-${iteration}`);
    const outcomes = await writeDebates(join(within, 'evaluation'), 'heldout', iteration, options);
    await writeRows(placeAt(join(within, 'outcomes.jsonl')), outcomes);
    if (iteration > 0)
      await writeDebates(join(within, 'debates'), 'train', iteration, {
        ...options,
        questions: options.trainingQuestions,
      });
  }
}

async function writeDebates(
  folder: string,
  set: 'heldout' | 'train',
  iteration: number,
  { questions, summarize }: Pick<LongExperiment, 'questions' | 'summarize'>,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let start = 0; start < questions; start += shardSize) {
    const rows: DebateRow[] = [];
    for (let index = start; index < Math.min(start + shardSize, questions); index++) {
      const { debate, gold } = await longDebate(index, set, iteration, summarize);
      rows.push(debate);
      outcomes.push(await outcomeOf(debate, { answer: gold }, shortAnswers(equal)));
    }
    const shard = String(start / shardSize).padStart(3, '0');
    await writeRows(placeAt(join(folder, `shard-${shard}.jsonl`)), rows);
  }
  return outcomes;
}

async function longDebate(index: number, set: 'heldout' | 'train', iteration: number, summarize: boolean) {
  const random = xoroshiro128plus(1 + index + 1_000_003 * iteration);
  const draw = (below: number) => uniformInt(random, 0, below - 1);
  const prose = (words: number) => Array.from({ length: words }, () => vocabulary[draw(vocabulary.length)]);
  const id = `${set}-${String(index).padStart(5, '0')}`;
  const gold = String(17 + ((index * 7919) % 400));
  // By the question, not by the iteration: some questions are hard for all.
  const skill = 35 + ((index * 31) % 50) + 4 * iteration;
  const answer = () => {
    if (draw(60) === 0) return null;
    return draw(100) < skill ? gold : String(Number(gold) + 1 + draw(3));
  };
  const response = (said: string | null) =>
    `${prose(150).join(' ')}.\n- ${draw(90)} + ${draw(90)} gives what is needed\n` +
    (said === null ? 'I cannot say.' : `So the answer is \\boxed{${said}}.`);
  const text = `A question about ${prose(24).join(' ')}?`;
  const firsts = Array.from({ length: agents }, answer);
  const seconds = firsts.map((first) => (draw(100) < 55 ? first : answer()));
  const said = firsts.map(response);
  const dialogues = said.map((first, agent) => [
    { role: 'user' as const, content: `Solve the problem below.\n\nProblem: ${text}` },
    { role: 'assistant' as const, content: first },
    {
      role: 'user' as const,
      content: summarize
        ? `This is a summary of how other agents solved the same problem.\n\n${prose(60).join(' ')}`
        : `Other agents solved the same problem as follows.\n\n${said.toSpliced(agent, 1).join('\n\n')}`,
    },
    { role: 'assistant' as const, content: response(seconds[agent] ?? null) },
  ]);
  const answers = firsts.map((first, agent) => [first, seconds[agent] ?? null]);
  const at = (purpose: string) => ({ seed: 7, iteration, purpose, question: id });
  const majority = await majorityVote(firsts, equal, at('majority'));
  const consensus = await majorityVote(seconds, equal, at('consensus'));
  const debate: DebateRow = {
    question: { id, text },
    dialogues,
    answers,
    majority,
    consensus,
    agrees: await agreement(answers, consensus.answer, equal),
    finishReasons: { responses: answers.map((rounds) => rounds.map(() => 'stop')), summaries: [] },
    tokens: { prompt: 900, completion: 1500, firstRound: 800 },
    truncated: 0,
  };
  return { debate, gold };
}

/** 3,000 made-up words: enough that texts compress about as prose does. */
const vocabulary = Array.from({ length: 3_000 }, (_, index) => {
  const syllables = [
    'ba',
    'ce',
    'di',
    'fo',
    'gu',
    'la',
    'me',
    'ni',
    'ro',
    'su',
    'ta',
    've',
    'zi',
    'pon',
    'ker',
  ];
  const syllable = (at: number) =>
    syllables[Math.floor(index / syllables.length ** at) % syllables.length] ?? '';
  return syllable(0) + syllable(1) + (index % 3 === 0 ? '' : syllable(2));
});
