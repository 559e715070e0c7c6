import { count, percent } from '../../format.ts';
import { paretoFront } from '../../charts/pareto-front.ts';
import type { Column } from '../analyse-study.ts';
import { type Finding, finding } from './finding.ts';

/** Which methods none is better than for less. That does not make them worth it: two that differ by little may both be there. */
export function worthTheirTokens({ rows }: Column): Finding[] {
  const priced = rows.flatMap(({ title, tokens, curve }) => {
    const accuracy = curve.at(-1)?.accuracy;
    return tokens === null || tokens === 0 || accuracy === undefined ? [] : [{ title, tokens, accuracy }];
  });
  if (priced.length < 2) return [];
  return [
    finding(
      'On the front of cost and accuracy, as no other was as good for as few tokens (by the figures alone, without their errors):',
      paretoFront(priced).map(
        ({ title, tokens, accuracy }) => `${title}: ${percent(accuracy)} for ${count(tokens)} tokens`,
      ),
    ),
  ];
}
