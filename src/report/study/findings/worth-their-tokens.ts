import { count, percent } from '../../format.ts';
import { paretoFront } from '../../charts/pareto-front.ts';
import type { Column } from '../analyse-study.ts';
import { type Finding, finding } from './finding.ts';

/** Which methods none is better than for less. */
export function worthTheirTokens({ rows }: Column): Finding[] {
  const priced = rows.flatMap(({ title, tokens, curve }) => {
    const accuracy = curve.at(-1)?.accuracy;
    return tokens === null || tokens === 0 || accuracy === undefined ? [] : [{ title, tokens, accuracy }];
  });
  if (priced.length < 2) return [];
  return [
    finding(
      'These were worth their tokens: no other was as good for as few (by the figures alone, without their errors):',
      paretoFront(priced).map(
        ({ title, tokens, accuracy }) => `${title}: ${percent(accuracy)} for ${count(tokens)} tokens`,
      ),
    ),
  ];
}
