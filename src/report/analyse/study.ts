import { setImmediate as otherWork } from 'node:timers/promises';
import { tokensOf } from '../../algorithm/measures/cost.ts';
import type { StudyCell } from '../../config/study.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import type { MeasuredExperiment } from '../read/measured-experiment.ts';
import type { MeasuredStudy, MissingExperiment } from '../read/study.ts';
import {
  type AnswerCounts,
  answerCounts,
  type ConsensusRow,
  type DatasetSize,
  datasetSizes,
  debatesOf,
  diversityOf,
  type FlipRow,
  type LabelRow,
  labelsOf,
  type MethodDiversity,
  type VoteShare,
  voteShares,
} from './measures.ts';
import {
  compareAll,
  compareVariants,
  type ContenderComparison,
  type ContenderKey,
  contenders,
  curve,
  type CurvePoint,
  rowOf,
  type ScoredContender,
  withHolm,
} from './contenders.ts';
import {
  type EqualTokensRow,
  asOneModel,
  besideDebate,
  type DistilledRow,
  besideFirstVote,
  type FirstVoteRow,
  summariesOf,
  type SummaryRow,
  type Transfer,
  transferOf,
} from './effects.ts';
import { costOf, type Course, courseOf, type Endurance, endurances, type MethodCost } from './gains.ts';
import { type PaperAgreement, paperAgreement } from './paper.ts';

/** Everything in a study's report, in numbers. */
export type StudyAnalysis = {
  readonly name: string;
  /** The contender that the others are compared with: the paper's method, or else the last method of the study. */
  readonly reference: ContenderKey;
  readonly settings: readonly Setting[];
  /** Against the reference; significance is corrected over all comparisons of one moment. */
  readonly comparisons: readonly ContenderComparison[];
  /** Variants against each other; significance is corrected over all of one moment. */
  readonly variantPairs: readonly ContenderComparison[];
  readonly missing: readonly MissingExperiment[];
};

/** A task and a model: one of the study's `experiments`, with what every method did there. */
export type Setting = {
  readonly name: string;
  readonly contenders: readonly Contender[];
  /** Its finished experiments, in the study's order. */
  readonly experiments: readonly Experiment[];
  /** Whether seeds share held-out questions: a question is then one unit of the sample, with all of its seeds. */
  readonly sharedQuestions: boolean;
};

/** One method in one setting with one seed. */
export type Experiment = Pick<
  MeasuredExperiment,
  'name' | 'method' | 'variant' | 'seed' | 'config' | 'result'
>;

/** A method in a setting, its seeds pooled. */
export type Contender = Pick<ScoredContender, 'key' | 'title' | 'learns' | 'votesOf' | 'seeds'> & {
  readonly curve: readonly CurvePoint[];
  readonly endurance: Endurance | null;
  /** All tokens of its training and of answering the held-out questions once, the mean of its seeds; null where none were counted. */
  readonly tokens: number | null;
  /** Null for votes: they are measured in the experiments of the method whose agents vote. */
  readonly own: MethodMeasures | null;
};

/** What is measured in the experiments of a method. */
export type MethodMeasures = {
  readonly config: ExperimentConfig;
  /** Our figures beside the paper's, by iteration; null where it has none. */
  readonly agreements: readonly (PaperAgreement | null)[];
  readonly cost: MethodCost;
  readonly flips: readonly FlipRow[];
  readonly summaries: readonly SummaryRow[];
  readonly consensus: readonly ConsensusRow[];
  readonly answers: readonly AnswerCounts[];
  readonly datasets: readonly DatasetSize[];
  readonly votes: readonly VoteShare[];
  readonly labels: readonly LabelRow[];
  readonly firstVotes: readonly FirstVoteRow[];
  readonly besideDebate: readonly EqualTokensRow[];
  readonly distilled: readonly DistilledRow[];
  readonly transfer: readonly Transfer[];
  readonly diversity: MethodDiversity;
};

/** Computes everything from the measured experiments. Yields to other work of this process in between, so that heartbeats go out. */
export async function analyseStudy({ name, experiments, missing }: MeasuredStudy): Promise<StudyAnalysis> {
  const reference = referenceOf([...experiments, ...missing]);
  const settings: Described[] = [];
  const comparisons = [];
  const variantPairs = [];
  for (const setting of new Set(experiments.map(({ experiment }) => experiment))) {
    const own = experiments.filter(({ experiment }) => experiment === setting);
    const scored = contenders(own);
    comparisons.push(...(await compareAll(setting, scored, reference)));
    variantPairs.push(...(await compareVariants(setting, scored, own)));
    settings.push({
      name: setting,
      contenders: await Promise.all(scored.map((each) => describe(each, own))),
      experiments: own.map(({ name: experiment, method, variant, seed, config, result }) => ({
        name: experiment,
        method,
        ...(variant === undefined ? {} : { variant }),
        seed,
        config,
        result,
      })),
      sharedQuestions: sharesQuestions(own),
    });
  }
  return {
    name,
    reference,
    settings: withEndurance(settings),
    comparisons: withHolm(comparisons),
    variantPairs: withHolm(variantPairs),
    missing,
  };
}

/** A setting before the methods' courses are judged, which is done for all of them together. */
type Described = Omit<Setting, 'contenders'> & {
  readonly contenders: readonly (Omit<Contender, 'endurance'> & { readonly course: Course | null })[];
};

function withEndurance(settings: readonly Described[]): Setting[] {
  const all = settings.flatMap(({ contenders: described }) => described);
  const verdicts = endurances(all.map(({ course }) => course));
  const found = new Map(all.map((each, index) => [each, verdicts[index] ?? null]));
  return settings.map((setting) => ({
    ...setting,
    contenders: setting.contenders.map((each) => {
      const { course: _, ...contender } = each;
      return { ...contender, endurance: found.get(each) ?? null };
    }),
  }));
}

async function describe(
  scored: ScoredContender,
  all: readonly MeasuredExperiment[],
): Promise<Described['contenders'][number]> {
  const { key, title, learns, votesOf, seeds } = scored;
  const points = curve(scored);
  await otherWork();
  const own = measuresOf(scored, all, points);
  return {
    key,
    title,
    learns,
    votesOf,
    seeds,
    curve: points,
    course: courseOf(scored, points),
    tokens: own?.cost.tokens ?? tokensOfVotes(scored, all),
    own,
  };
}

/** The tokens of a majority at equal tokens with the training of its agents, the mean over seeds; null for other votes. */
function tokensOfVotes({ key, votesOf }: ScoredContender, all: readonly MeasuredExperiment[]): number | null {
  if (key.endsWith(':first-vote')) return null;
  const voting = all.filter((each) => rowOf(each) === (votesOf ?? 'debate'));
  const tokens = voting.flatMap(({ iterations }) => {
    const votes = iterations.at(-1)?.votes ?? null;
    if (votes === null) return [];
    const trained = iterations.flatMap(({ training }) =>
      training === null ? [] : [tokensOf(training.debates) + tokensOf(training.fineTunes)],
    );
    return [trained.reduce((sum, each) => sum + each, votes.tokens)];
  });
  return tokens.length === 0 ? null : tokens.reduce((sum, each) => sum + each, 0) / tokens.length;
}

function measuresOf(
  { key, learns }: ScoredContender,
  all: readonly MeasuredExperiment[],
  points: readonly CurvePoint[],
): MethodMeasures | null {
  const own = all.filter((each) => rowOf(each) === key);
  const [first] = own;
  if (first === undefined) return null;
  const { config, variant } = first;
  return {
    config,
    agreements: points.map((point) => (variant === undefined ? paperAgreement(config, point) : null)),
    cost: costOf(own, all, points.at(-1)?.accuracy ?? NaN),
    summaries: summariesOf(own, all),
    ...debatesOf(own),
    answers: answerCounts(own),
    datasets: datasetSizes(own),
    votes: voteShares(own),
    labels: labelsOf(own),
    firstVotes: besideFirstVote(own),
    besideDebate: besideDebate(own),
    distilled: asOneModel(own),
    transfer: transferOf(own, learns),
    diversity: diversityOf(own),
  };
}

function referenceOf(experiments: readonly Pick<StudyCell, 'method' | 'variant'>[]): ContenderKey {
  const named = experiments.filter(({ variant }) => variant === undefined).map(rowOf);
  return named.includes('multiagent-ft') ? 'multiagent-ft' : (named.at(-1) ?? 'multiagent-ft');
}

/** Whether a question of one seed is also one of another. All methods of a seed have the same questions. */
function sharesQuestions(experiments: readonly MeasuredExperiment[]): boolean {
  const seeds = new Map<string, number>();
  return experiments.some(({ seed, iterations }) =>
    (iterations[0]?.answers ?? []).some(({ question }) => {
      const before = seeds.get(question) ?? seed;
      seeds.set(question, seed);
      return before !== seed;
    }),
  );
}

/** A contender's title in a setting; its key where the setting lacks it. */
export function titleOf({ settings }: StudyAnalysis, setting: string, key: string): string {
  const contenders = settings.find(({ name }) => name === setting)?.contenders ?? [];
  return contenders.find((each) => each.key === key)?.title ?? key;
}

/** The content of results.json: every figure, without the configs. Its keys are those of version 2 of the format. */
export function resultsDocument({ settings, comparisons, variantPairs, ...analysis }: StudyAnalysis): object {
  const named = ({ setting, ...comparison }: ContenderComparison): object => ({
    column: setting,
    ...comparison,
  });
  return {
    formatVersion: 2,
    name: analysis.name,
    reference: analysis.reference,
    comparisons: comparisons.map(named),
    ...(variantPairs.length === 0 ? {} : { variantPairs: variantPairs.map(named) }),
    missing: analysis.missing,
    columns: settings.map(({ name, sharedQuestions, experiments, contenders: rows }) => ({
      name,
      sharedQuestions,
      experiments: experiments.map((each) => {
        const { config: _, result: __, ...experiment } = each;
        return experiment;
      }),
      rows: rows.map(({ own, ...row }) => {
        if (own === null) return { ...row, own };
        const { config: _, ...measured } = own;
        return { ...row, own: measured };
      }),
    })),
  };
}
