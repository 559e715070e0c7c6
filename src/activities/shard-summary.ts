import { labelByConsensus } from '../algorithm/labelled-debate.ts';
import type { ExperimentConfig } from '../config/experiment-config.ts';
import type { DebateRow } from '../store/debate-row.ts';
import type { ExperimentResult } from '../store/experiment-result.ts';

/** Counts over debates: small enough to travel through Temporal. */
export type ShardSummary = {
  readonly consensus: ExperimentResult['iterations'][number]['consensus'];
  readonly tokens: TokenCount & { readonly firstRound: number };
};
export type TokenCount = { readonly prompt: number; readonly completion: number };

/** Counts what the votes of a shard looked like, and its tokens. */
export function summariseShard(
  debates: readonly DebateRow[],
  config: Pick<ExperimentConfig, 'min_votes'>,
): ShardSummary {
  const count = (holds: (debate: DebateRow) => boolean) => debates.filter(holds).length;
  const sum = (of: (debate: DebateRow) => number) => debates.reduce((total, debate) => total + of(debate), 0);
  return {
    consensus: {
      questions: debates.length,
      unanimous: count(({ consensus, answers }) => consensus.votes === answers.length),
      ties: count(({ consensus }) => consensus.tied > 1),
      withoutLabel: count((debate) => labelByConsensus(debate, config.min_votes) === null),
      unparsableAnswers: sum(({ answers }) => answers.flat().filter((answer) => answer === null).length),
      truncatedPrompts: sum(({ truncated }) => truncated),
    },
    tokens: {
      prompt: sum(({ tokens }) => tokens.prompt),
      completion: sum(({ tokens }) => tokens.completion),
      firstRound: sum(({ tokens }) => tokens.firstRound),
    },
  };
}
