/** A study that nobody has run: drawn outcomes with a skill for each method and iteration, to look at the report with. */
import { type MethodName, methodNames, methods } from '../../src/algorithm/methods.ts';
import { draws } from '../../src/algorithm/random.ts';
import { diversityDocument } from './diversity-document.ts';
import type { Answers, Script } from './scripted-study.ts';

export type Size = {
  readonly columns?: readonly string[];
  readonly methods?: readonly MethodName[];
  readonly seeds: number;
  readonly iterations: number;
  readonly questions: number;
  readonly settings?: object;
};

export function madeUpStudy({
  columns = ['arithmetic'],
  methods: asked = methodNames,
  ...size
}: Size): Script[] {
  return columns.flatMap((column) =>
    Array.from({ length: size.seeds }, (_, seed) => seed).flatMap((seed) =>
      asked.map((method) => madeUp(column, method, seed, size)),
    ),
  );
}

/** What a single answer comes to after each iteration, and how much a debate adds to it. */
const skills: Readonly<Partial<Record<MethodName, readonly number[]>>> = {
  star: [0.45, 0.55, 0.6, 0.61, 0.58, 0.55],
  'majority-ft': [0.45, 0.5, 0.53, 0.53, 0.5, 0.47],
  'multiagent-ft': [0.45, 0.56, 0.62, 0.66, 0.68, 0.69],
  'single-agent': [0.45, 0.54, 0.57, 0.55, 0.52, 0.5],
  'single-agent-no-debate': [0.45, 0.5, 0.5, 0.47, 0.43, 0.4],
};

function madeUp(column: string, method: MethodName, seed: number, size: Size): Script {
  const { learning, fixes, answer } = methods[method];
  const last = learning === undefined ? 0 : size.iterations;
  const skill = (iteration: number) =>
    (skills[method] ?? [0.45, 0.53, 0.57, 0.59, 0.6, 0.6])[iteration] ?? 0.6;
  const rounds = fixes.rounds ?? 2;
  const debated = (iteration: number, agents: number, of: number, purpose: string) =>
    Array.from({ length: size.questions }, (_, question) =>
      drawnAnswers({ column, method, seed, iteration, question, purpose }, skill(iteration), agents, of),
    );
  const byIteration = Array.from({ length: last + 1 }, (_, iteration) => iteration);
  return {
    method,
    column,
    seed,
    ...(size.settings === undefined ? {} : { settings: size.settings }),
    iterations: byIteration.map((iteration) => debated(iteration, 3, rounds, 'debate')),
    ...(answer === 'debate' ? { votes: byIteration.map((each) => debated(each, 13 + seed, 1, 'vote')) } : {}),
    transfer: {
      words: { before: debated(0, 3, rounds, 'words'), after: debated(last, 3, rounds, 'words') },
    },
    diversity: byIteration.map((each) =>
      diversityDocument(
        each,
        {
          nllOfOthers: 0.5 + 0.03 * each,
          betweenAgents: 0.05 * each,
          fromBase: 0.05 * each,
          dissimilarity: 0.4 - (method === 'multiagent-ft' ? 0.02 : 0.06) * each,
        },
        { questions: Math.min(10, size.questions) },
      ),
    ),
  };
}

type Place = {
  readonly column: string;
  readonly method: MethodName;
  readonly seed: number;
  readonly iteration: number;
  readonly question: number;
  readonly purpose: string;
};

/** The difficulty belongs to the question: equal for all methods. */
function drawnAnswers(place: Place, skill: number, agents: number, rounds: number): Answers {
  const { column, seed, question, purpose } = place;
  const difficulty = draws({ seed, iteration: 0, purpose: `${column} ${question}` })(1000) / 1000 - 0.5;
  const key = `${column} ${place.method} ${purpose} ${question}`;
  const draw = draws({ seed, iteration: place.iteration, purpose: key });
  const chance = Math.min(0.98, Math.max(0.02, skill - difficulty * 0.9));
  const answer = (right: number): string => {
    if (draw(1000) / 1000 < right) return 'R';
    return 'ABCD.'[draw(5)] ?? '.';
  };
  const firsts = Array.from({ length: agents }, () => answer(chance));
  if (rounds === 1) return firsts.join('');
  const others = firsts.filter((each) => each === 'R').length / agents;
  const seconds = firsts.map((first) =>
    draw(10) < 5 ? first : answer(Math.min(0.98, chance * 0.6 + others * 0.5)),
  );
  return `${firsts.join('')}>${seconds.join('')}`;
}
