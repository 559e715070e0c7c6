/** A study in a store, as its experiments would leave it, with outcomes that a test writes by hand. */
import { noneCutOff } from '../../src/algorithm/measures/cost.ts';
import { evaluate, markOf, type Outcome } from '../../src/algorithm/evaluation.ts';
import { type MethodName, methods } from '../../src/algorithm/methods.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import type { FinishedExperiment } from '../../src/report/read/measured-experiment.ts';
import { writeDocument } from '../../src/store/files/documents.ts';
import { writeRows } from '../../src/store/files/rows.ts';
import type { ExperimentResult } from '../../src/store/records/result.ts';
import type { DiversityDocument } from '../../src/store/records/rows.ts';
import { experimentFiles, type MeasuredSet, type Store, studyFiles } from '../../src/store/store.ts';

/**
 * Answers to one question: a letter an agent, rounds apart by `>`. R is right, `.` cannot be parsed, any other letter is a wrong answer that
 * equals all of the same letter. `RWW>RRW`: two of three agents are right in round 2.
 */
export type Answers = string;

export type Script = {
  readonly method: MethodName;
  /** By iteration, 0 the base model. */
  readonly iterations: readonly (readonly Answers[])[];
  /** The variant's name, for one that is a row of its own. */
  readonly variant?: string;
  readonly column?: string;
  readonly seed?: number;
  /** The majority at equal tokens beside the debate: by iteration, of so many answers as each has letters. */
  readonly votes?: readonly (readonly Answers[])[];
  /** What those votes used. */
  readonly voteTokens?: { readonly prompt: number; readonly completion: number };
  readonly transfer?: Readonly<Record<string, { before: readonly Answers[]; after: readonly Answers[] }>>;
  /** By iteration. */
  readonly diversity?: readonly DiversityDocument[];
  readonly result?: Partial<ExperimentResult>;
  /** How many rows the dataset of its model has in the first iteration (8). */
  readonly rows?: number;
  /** Of each evaluation (1) and of each iteration's debates (20), where they are other than these. */
  readonly seconds?: { readonly evaluation?: number; readonly record?: { readonly debate?: number } };
  /** Laid over what the experiment would be started with. */
  readonly settings?: object;
  /** A question's text; by default another one for each seed. */
  readonly text?: (index: number, seed: number) => string;
};

/** Writes a study's experiments and its study.json. */
export async function writeScriptedStudy(
  store: Store,
  study: string,
  scripts: readonly Script[],
): Promise<FinishedExperiment[]> {
  const cells: FinishedExperiment[] = [];
  for (const script of scripts) cells.push(await writeScripted(store, study, script));
  await writeDocument(studyFiles(store, study).study, {
    formatVersion: 1,
    name: study,
    cells: cells.map((each) => {
      const { config: _, result: __, ...cell } = each;
      return cell;
    }),
  });
  return cells;
}

async function writeScripted(store: Store, study: string, script: Script): Promise<FinishedExperiment> {
  const { method, variant, column = 'task', seed = 0, votes = [], transfer = {}, text = ownText } = script;
  const name = `${study}-${column}-${variant ?? method}-s${seed}`;
  const files = experimentFiles(store, name);
  const write = async (iteration: number, split: MeasuredSet, answers: readonly Answers[]) => {
    const outcomes = answers.map((each, index) => scriptedOutcome(each, index, text(index, seed)));
    await writeRows(files.outcomes(iteration, split), outcomes);
    return outcomes.map(markOf);
  };
  const evaluations: ExperimentResult['evaluations'] = [];
  const base = await write(0, 'heldout', script.iterations[0] ?? []);
  for (const [iteration, answers] of script.iterations.entries()) {
    evaluations.push(evaluate(iteration, await write(iteration, 'heldout', answers), base));
  }
  const equalTokens: ExperimentResult['equalTokens'] = [];
  for (const [iteration, answers] of votes.entries()) {
    const { majority } = evaluate(iteration, await write(iteration, 'vote', answers), []);
    const tokens = script.voteTokens ?? { prompt: 1_000, completion: 500 };
    equalTokens.push({ iteration, votes: answers[0]?.length ?? 0, majority, tokens });
  }
  for (const each of script.diversity ?? []) await writeDocument(files.diversity(each.iteration), each);
  const last = script.iterations.length - 1;
  const transferred: ExperimentResult['transfer'] = [];
  for (const [task, { before, after }] of Object.entries(transfer)) {
    for (const [iteration, answers] of last === 0
      ? [[0, before] as const]
      : ([
          [0, before],
          [last, after],
        ] as const)) {
      const marks = await write(iteration, `transfer-${task}`, answers);
      transferred.push({ ...evaluate(iteration, marks, marks), task });
    }
  }
  const iterations = methods[method].learning === undefined ? 0 : last;
  const config = resolveConfig({
    preset: 'paper',
    seed,
    ...(methods[method].fixes.iterations === undefined ? { iterations } : {}),
    ...script.settings,
    method,
  });
  await writeDocument(files.config, config);
  const plain = plainResult(name, evaluations, last, script.rows);
  const { seconds: { evaluation: evaluationSeconds = 1, record: recordSeconds = {} } = {} } = script;
  for (const [iteration, evaluation] of evaluations.entries())
    await writeDocument(files.evaluation(iteration), {
      evaluation,
      tokens: { prompt: 100, completion: 50 },
      seconds: evaluationSeconds,
    });
  for (const record of plain.iterations)
    await writeDocument(files.record(record.iteration), {
      ...record,
      tokens: { debate: { prompt: 2_000, completion: 1_000 }, fineTune: 5_000 },
      seconds: { debate: 20, datasets: 1, fineTune: 30, ...recordSeconds },
    });
  const result = {
    ...plain,
    equalTokens,
    transfer: transferred,
    ...script.result,
  };
  await writeDocument(files.result, result);
  const row = { method, ...(variant === undefined ? {} : { variant }) };
  return { name, experiment: column, ...row, seed, config, result };
}

/** @param answers see Answers */
export function scriptedOutcome(answers: Answers, index: number, question: string): Outcome {
  const rounds = answers.split('>').map((round) => Array.from(round));
  const letters = [...new Set(['R', ...rounds.flat()])].filter((each) => each !== '.');
  const byAgent = <Value>(of: (letter: string) => Value): Value[][] =>
    (rounds[0] ?? []).map((_, agent) => rounds.map((round) => of(round[agent] ?? '.')));
  const judged = (letter: string) => ({ answer: letter === '.' ? null : letter, correct: letter === 'R' });
  return {
    questionId: `heldout-${String(index).padStart(5, '0')}`,
    question,
    gold: 'R',
    single: (rounds[0] ?? []).map(judged),
    majority: judged(voted(rounds[0] ?? [])),
    debate: judged(voted(rounds.at(-1) ?? [])),
    right: byAgent((letter) => letter === 'R'),
    classes: byAgent((letter) => (letter === '.' ? null : letters.indexOf(letter))),
    finishReasons: { responses: byAgent(() => 'stop'), summaries: [] },
  };
}

/** The most frequent answer; of equally frequent ones the first, so that a script says itself what comes of a tie. */
function voted(letters: readonly string[]): string {
  const count = (letter: string): number => letters.filter((each) => each === letter).length;
  return letters.filter((each) => each !== '.').toSorted((a, b) => count(b) - count(a))[0] ?? '.';
}

function ownText(index: number, seed: number): string {
  return `question ${index} of seed ${seed}`;
}

function plainResult(
  name: string,
  evaluations: ExperimentResult['evaluations'],
  iterations: number,
  rows = 8,
): ExperimentResult {
  return {
    formatVersion: 1,
    name,
    evaluations,
    equalTokens: [],
    warnings: [],
    transfer: [],
    iterations: Array.from({ length: iterations }, (_, index) => ({
      iteration: index + 1,
      consensus: {
        questions: 10,
        unanimous: 4,
        ties: 1,
        withoutLabel: 1,
        unparsableAnswers: 0,
        truncatedPrompts: 0,
      },
      cutOff: noneCutOff,
      datasets: [{ agents: [1], role: 'generation', rows: rows - index, parts: {}, cut: 0 }],
      fineTunes: [
        {
          agent: 1,
          role: 'generation',
          model: 'a'.repeat(64),
          rows: 8,
          steps: 2,
          finalLoss: 0.5,
          droppedRows: 0,
          losses: [],
          peakLearningRate: 1e-3,
          moved: { klPerToken: 0.005, tokens: 100, rows: 8 },
        },
      ],
    })),
    tokens: {
      debate: { prompt: 2_000 * iterations, completion: 1_000 * iterations },
      evaluation: { prompt: 100 * (iterations + 1), completion: 50 * (iterations + 1) },
      fineTune: 5_000 * iterations,
    },
    seconds: { evaluation: 10, debate: 20, datasets: 1, fineTune: 30, total: 61 },
    versions: { colloquy: '0.1.0', node: '20.20.2' },
    files: { config: 'config.json', evaluation: 'evaluation.jsonl', report: 'report.html' },
  };
}

/** So many times the same. */
export function times(count: number, answers: Answers): Answers[] {
  return Array.from({ length: count }, () => answers);
}
