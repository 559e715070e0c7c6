import { byQuestionAndAgent, type Dataset, type Row } from './dataset.ts';
import type { Match } from './labelled-debate.ts';

/**
 * STaR's dataset (Zelikman et al. 2022): of each question the first answer when it is right, else the rationale that the model gave
 * when it was told the answer, when that leads to it. Its parts are the `answered` and the `rationalised` questions.
 */
export function bootstrappedDataset(agents: readonly number[], debates: readonly Match[]): Dataset {
  const rows: Row[] = [];
  const counts = { answered: 0, rationalised: 0, tried: 0 };
  for (const { questionId, matches } of debates) {
    for (const agent of agents) {
      const [first, ...further] = matches[agent - 1] ?? [];
      if (first === true) {
        counts.answered += 1;
        rows.push({ questionId, agent, completion: 'first answer' });
      } else if (further.length > 0) {
        counts.tried += 1;
        if (further.at(-1) !== true) continue;
        counts.rationalised += 1;
        rows.push({ questionId, agent, completion: 'rationale' });
      }
    }
  }
  return {
    rows: rows.toSorted(byQuestionAndAgent),
    parts: {
      answered: { available: counts.answered, used: counts.answered },
      rationalised: { available: counts.tried, used: counts.rationalised },
    },
  };
}
