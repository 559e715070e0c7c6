import { type MethodName, methodNames, methods } from '../../algorithm/methods/methods.ts';
import type { MeasuredCell } from './measure-cell.ts';
import type { Scores } from './score.ts';

/** A method as the tables have it, or the majority at equal tokens, which stands beside the debate. */
export type RowKey = MethodName | 'majority-at-equal-tokens';

/** What stands in a row of the tables on one column: what it scored after each iteration, its seeds pooled. */
export type Contender = {
  readonly key: RowKey;
  readonly title: string;
  /** Whether it is another one after each iteration; what learns nothing has iteration 0 alone. */
  readonly learns: boolean;
  readonly seeds: readonly number[];
  /** By iteration; the seeds that got furthest are cut to the others, so that each iteration is of all seeds. */
  readonly scores: readonly Scores[];
};

/** All that can be compared in a column, in the order of the paper's tables. */
export function contenders(cells: readonly MeasuredCell[]): Contender[] {
  return methodNames.flatMap((method) => {
    const own = cells.filter((cell) => cell.method === method);
    if (own.length === 0) return [];
    const votes = method === 'debate' ? majorityAtEqualTokens(own) : [];
    return [...votes, contender(method, own)];
  });
}

/** How many iterations all of a method's seeds have, the base model counted. */
export function commonIterations(cells: readonly MeasuredCell[]): number {
  return Math.min(...cells.map(({ iterations }) => iterations.length));
}

function contender(method: MethodName, cells: readonly MeasuredCell[]): Contender {
  const { title, learning } = methods[method];
  const learns = learning !== undefined;
  const common = learns ? commonIterations(cells) : 1;
  return {
    key: method,
    title,
    learns,
    seeds: cells.map(({ seed }) => seed),
    scores: Array.from({ length: common }, (_, iteration) =>
      pooled(cells.map(({ iterations }) => iterations[iteration]?.scores)),
    ),
  };
}

function majorityAtEqualTokens(debates: readonly MeasuredCell[]): Contender[] {
  const beside = debates.filter(({ iterations }) => (iterations[0]?.votes ?? null) !== null);
  if (beside.length === 0) return [];
  const counts = new Set(beside.map(({ iterations }) => iterations[0]?.votes?.count ?? 0));
  return [
    {
      key: 'majority-at-equal-tokens',
      title: `Majority at equal tokens (of ${range([...counts])})`,
      learns: false,
      seeds: beside.map(({ seed }) => seed),
      scores: [pooled(beside.map(({ iterations }) => iterations[0]?.votes?.scores))],
    },
  ];
}

/** The scores of several seeds together: a unit names its seed. */
export function pooled(scores: readonly (Scores | undefined)[]): Scores {
  return new Map(scores.flatMap((each) => [...(each ?? [])]));
}

/** `15`, or `14 to 16`. */
export function range(values: readonly number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return least === most ? String(least) : `${least} to ${most}`;
}
