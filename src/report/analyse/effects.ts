import type { PairedDifference } from '../../algorithm/measures/comparison.ts';
import { type SummaryEffect, summaryEffect } from '../../algorithm/measures/flips.ts';
import { methods } from '../../algorithm/methods.ts';
import { objectives } from '../../algorithm/objectives.ts';
import type { MeasuredExperiment, MeasuredVotes, Scores } from '../read/measured-experiment.ts';
import { commonIterations, compare, meanAccuracy, type MeasuredAccuracy, pooled } from './contenders.ts';

/** A debate and the majority of as many first answers as cost the same tokens, by the same agents. */
export type EqualTokensRow = {
  readonly iteration: number;
  /** How many answers voted, by seed. */
  readonly votes: readonly number[];
  readonly debate: number;
  readonly majority: number;
  /** The debate less the majority. */
  readonly difference: PairedDifference;
  /** The majority of as many first answers as have the debate's written tokens alone; null where a seed has none. */
  readonly written: Pick<EqualTokensRow, 'votes' | 'majority' | 'difference'> | null;
};

/** A debate and the vote over its own first answers, after an iteration; 0 is the base model. */
export type FirstVoteRow = {
  readonly iteration: number;
  readonly debate: number;
  readonly vote: number;
  /** The debate less the vote: what the rounds after the first did. */
  readonly difference: PairedDifference;
};

/** For a method that debates, after each iteration. None where there is one round. */
export function besideFirstVote(experiments: readonly MeasuredExperiment[]): FirstVoteRow[] {
  const [first] = experiments;
  if (first === undefined || methods[first.method].answer !== 'debate' || first.config.rounds < 2) return [];
  return Array.from({ length: commonIterations(experiments) }, (_, iteration) => iteration).flatMap(
    (iteration) => {
      const seeds = experiments.flatMap(({ iterations }) => iterations[iteration] ?? []);
      const debate = pooled(seeds.map(({ scores }) => scores));
      const vote = pooled(seeds.map(({ firstVote }) => firstVote));
      const difference = compare(debate, vote);
      if (difference === null) return [];
      const figures = {
        debate: meanAccuracy(debate.values()).accuracy,
        vote: meanAccuracy(vote.values()).accuracy,
      };
      return [{ iteration, ...figures, difference }];
    },
  );
}

/** One model that the group was distilled into, beside the group's debate, the seeds pooled. */
export type DistilledRow = {
  readonly from: string;
  /** The title of the objective by which it learnt, by seed. */
  readonly learnt: readonly string[];
  readonly model: number;
  readonly debate: number;
  /** The model less the debate. */
  readonly difference: PairedDifference;
  /** Read and written, for one question. */
  readonly tokens: number;
  readonly debateTokens: number;
};

/** At most one row. */
export function asOneModel(experiments: readonly MeasuredExperiment[]): DistilledRow[] {
  const distilled = experiments.flatMap(({ result, distilled: scores, iterations }) => {
    const { distilled: record } = result;
    const last = iterations.at(-1);
    return record === undefined || record.evaluation === null || scores === undefined || last === undefined
      ? []
      : [{ record, evaluation: record.evaluation, scores, last }];
  });
  const [first] = distilled;
  const model = pooled(distilled.map(({ scores }) => scores));
  const debate = pooled(distilled.map(({ last }) => last.scores));
  const difference = compare(model, debate);
  if (first === undefined || difference === null) return [];
  const sum = (of: (each: (typeof distilled)[number]) => number) =>
    distilled.reduce((total, each) => total + of(each), 0);
  const questions = sum(({ evaluation }) => evaluation.questions);
  return [
    {
      from: first.record.from,
      learnt: distilled.map(({ record }) => objectives[record.dataset.objective ?? 'imitation'].title),
      model: meanAccuracy(model.values()).accuracy,
      debate: meanAccuracy(debate.values()).accuracy,
      difference,
      tokens: sum(({ evaluation: { tokens } }) => tokens.prompt + tokens.completion) / questions,
      debateTokens:
        sum(({ evaluation: { debateTokens } }) => debateTokens.prompt + debateTokens.completion) / questions,
    },
  ];
}

/** For a method that debates, after each iteration where the majority was measured. */
export function besideDebate(experiments: readonly MeasuredExperiment[]): EqualTokensRow[] {
  const method = experiments[0]?.method;
  if (method === undefined || methods[method].answer !== 'debate') return [];
  return Array.from({ length: commonIterations(experiments) }, (_, iteration) => iteration).flatMap(
    (iteration) => {
      const both = experiments.flatMap(({ iterations }) => {
        const { scores, votes = null } = iterations[iteration] ?? {};
        return scores === undefined || votes === null ? [] : [{ scores, votes }];
      });
      const debate = pooled(both.map(({ scores }) => scores));
      const majority = pooled(both.map(({ votes }) => votes.scores));
      const difference = compare(debate, majority);
      if (difference === null) return [];
      return [
        {
          iteration,
          votes: both.map(({ votes }) => votes.count),
          debate: meanAccuracy(debate.values()).accuracy,
          majority: meanAccuracy(majority.values()).accuracy,
          difference,
          written: atEqualWritten(
            debate,
            both.map(({ votes }) => votes.written),
          ),
        },
      ];
    },
  );
}

function atEqualWritten(
  debate: Scores,
  bySeed: readonly MeasuredVotes['written'][],
): EqualTokensRow['written'] {
  const known = bySeed.filter((written) => written !== null);
  if (known.length < bySeed.length) return null;
  const majority = pooled(known.map(({ scores }) => scores));
  const difference = compare(debate, majority);
  if (difference === null) return null;
  return {
    votes: known.map(({ count }) => count),
    majority: meanAccuracy(majority.values()).accuracy,
    difference,
  };
}

/** What happened to answers after summaries were shown, the seeds pooled. */
export type SummaryRow = SummaryEffect & {
  readonly iteration: number;
  /** The debates with summaries against those of the method that has none and is otherwise the same; null where the study lacks it. */
  readonly versusWithout: PairedDifference | null;
};

/**
 * For a method whose debates have summaries: of the base model, and after the last iteration.
 *
 * @param own its experiments
 * @param all those of the setting
 */
export function summariesOf(
  own: readonly MeasuredExperiment[],
  all: readonly MeasuredExperiment[],
): SummaryRow[] {
  const without = all.filter((other) => own.some((each) => differBySummaryAlone(each, other)));
  const last = Math.min(commonIterations(own), commonIterations(without)) - 1;
  return [...new Set([0, last])].flatMap((iteration) => {
    const shown = own
      .filter(({ hasSummaries }) => hasSummaries)
      .flatMap(({ iterations }) => iterations[iteration]?.answers ?? []);
    if (shown.length === 0) return [];
    const effect = summaryEffect();
    for (const { question, answers } of shown) effect.add(question, answers);
    const scores = (each: readonly MeasuredExperiment[]) =>
      pooled(each.map(({ iterations }) => iterations[iteration]?.scores));
    return [
      {
        iteration,
        ...effect.result(),
        versusWithout: compare(scores(own), scores(without)),
      },
    ];
  });
}

/** Whether two methods debate, answer and learn alike, the first with summaries and the other without. */
function differBySummaryAlone(own: MeasuredExperiment, other: MeasuredExperiment): boolean {
  const [mine, its] = [methods[own.method], methods[other.method]];
  return (
    own.variant === undefined &&
    other.variant === undefined &&
    mine.answer === its.answer &&
    mine.learning === its.learning &&
    mine.stance === its.stance &&
    mine.identified === its.identified &&
    own.config.summarize &&
    !other.config.summarize
  );
}

/** Zero-shot transfer: a method that learnt on its setting's task, on the questions of another task. */
export type Transfer = {
  readonly task: string;
  readonly before: MeasuredAccuracy;
  readonly after: MeasuredAccuracy;
  /** After the last iteration less before; null for a method that learns nothing. */
  readonly change: PairedDifference | null;
};

export function transferOf(experiments: readonly MeasuredExperiment[], learns: boolean): Transfer[] {
  const tasks = new Set(experiments.flatMap(({ transfer }) => transfer.map(({ task }) => task)));
  return [...tasks].map((task) => {
    const own = experiments.flatMap(({ transfer }) => transfer.filter((each) => each.task === task));
    const before = pooled(own.map((each) => each.before));
    const after = pooled(own.map((each) => each.after));
    return {
      task,
      before: meanAccuracy(before.values()),
      after: meanAccuracy(after.values()),
      change: learns ? compare(after, before) : null,
    };
  });
}
