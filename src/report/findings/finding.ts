/** How are findings and warnings worded, and are there enough held-out questions for one? */
import { guardPower } from '../../algorithm/measures/comparison.ts';
import type { DifferenceInterval } from '../../algorithm/measures/tests.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import type { DistilledRecord } from '../../store/records/iteration.ts';
import type { Warning } from '../../store/records/result.ts';
import { count, counted, percent, points } from '../../text/figures.ts';

/** What numbers show, as a plain sentence; `each` lists what the sentence is about, with the numbers. */
export type Finding = { readonly sentence: string; readonly each: readonly string[] };

/** What is found under one heading: of an experiment, or of one setting of a study. */
export type Findings = {
  /** The setting's name; null where there is nothing to tell it from. */
  readonly about: string | null;
  readonly shows: readonly Finding[];
  /** What was measured beside the accuracies. */
  readonly beside: readonly Finding[];
};

/** Everything that a report says in sentences. */
export type AllFindings = {
  readonly findings: readonly Findings[];
  /** What the numbers do not show. */
  readonly limits: readonly string[];
};

export function finding(sentence: string, each: readonly string[] = []): Finding {
  return { sentence, each };
}

/** The finding that introduces a list, or none when the list is empty. */
export function findingOfEach(sentence: string, each: readonly string[]): Finding[] {
  return each.length === 0 ? [] : [{ sentence, each }];
}

/** `+2.4 points, 95 % +0.3 to +4.6`. */
export function differenceInWords({ difference, low, high }: DifferenceInterval): string {
  return `${points(difference)} points, 95 % ${points(low)} to ${points(high)}`;
}

/** A share that is not noise any more. */
const noticeable = 0.05;

export type Share = { readonly where: string; readonly count: number; readonly of: number };

type ShareText = {
  readonly says: (shares: string) => string;
  readonly remedy: string;
  readonly least?: number;
};

/** One warning for all the places where a share is noticeable. */
export function shareWarning(
  kind: Warning['kind'],
  places: readonly Share[],
  { says, remedy, least = noticeable }: ShareText,
): Warning[] {
  const found = places.filter((each) => each.of > 0 && each.count / each.of >= least);
  if (found.length === 0) return [];
  const shares = found.map(
    ({ where, count: part, of }) => `${count(part)} of ${count(of)} (${percent(part / of)}), ${where}`,
  );
  return [warning(kind, says(few(shares)), remedy)];
}

export function warning(kind: Warning['kind'], says: string, remedy: string): Warning {
  return { kind, says, remedy };
}

const mostPlaces = 3;

/** The first few; what is behind them is counted. */
export function few(items: readonly string[]): string {
  const more = items.length - mostPlaces;
  return [...items.slice(0, mostPlaces), ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}

type Sample = {
  readonly config: Pick<ExperimentConfig, 'carry_over' | 'guard' | 'task'>;
  /** How many held-out questions there are. */
  readonly heldOut: number;
};

/** A guard that would reject nights, or take iterations for drops, for no reason. */
export function smallGuard(sample: Sample): Warning[] {
  return [...smallNightGuard(sample), ...smallValidation(sample)];
}

function smallValidation({ config: { guard, task } }: Sample): Warning[] {
  const questions = task.validation_size ?? 0;
  if (guard?.metric !== 'accuracy' || questions === 0) return [];
  const { oneQuestion, falseRejection } = guardPower(questions, guard.max_drop);
  if (falseRejection < 0.15) return [];
  const says =
    `With ${counted(questions, 'validation question')} one question is ${inPoints(oneQuestion)} points, and guard.max_drop is ${inPoints(guard.max_drop)}: ` +
    `about ${Math.round(100 * falseRejection)} % of iterations that change nothing would be drops by chance (if a fifth of the answers differ by chance).`;
  return [
    warning(
      'small guard',
      says,
      'Have more validation questions (task.validation_size), or raise guard.max_drop or guard.patience.',
    ),
  ];
}

function smallNightGuard({ config: { carry_over: night }, heldOut }: Sample): Warning[] {
  if (night === undefined || heldOut === 0) return [];
  const { falseRejection } = guardPower(heldOut, night.max_drop);
  return falseRejection < 0.15
    ? []
    : [{ kind: 'small guard', says: guardInWords(heldOut, night.max_drop), remedy: moreHeldOut }];
}

const moreHeldOut = 'Hold out more questions (task.test_size).';

/** What the guard of a series can detect with its held-out questions, as sentences. */
export function guardInWords(heldOut: number, maxDrop: number): string {
  const { oneQuestion, falseRejection, detectable } = guardPower(heldOut, maxDrop);
  return (
    `With ${counted(heldOut, 'held-out question')} one question is ${inPoints(oneQuestion)} points, and max_drop is ${inPoints(maxDrop)}: ` +
    `about ${Math.round(100 * falseRejection)} % of nights that change nothing would be rejected by chance, and only a loss of ` +
    `${inPoints(detectable)} points or more is found in four of five nights (if a fifth of the answers differ from night to night by chance).`
  );
}

/** Too few questions to see a gain. */
export function smallSample({ heldOut }: Pick<Sample, 'heldOut'>): Warning[] {
  if (heldOut === 0 || heldOut >= enoughHeldOut) return [];
  // 1.96 standard deviations of the difference on the same questions: see guardPower.
  const { deviation } = guardPower(heldOut, 0);
  const says = `There are only ${counted(heldOut, 'held-out question')}: a difference of less than about ${Math.round(196 * deviation)} points between two evaluations may be chance.`;
  return [{ kind: 'small sample', says, remedy: moreHeldOut }];
}

const enoughHeldOut = 100;

function inPoints(share: number): string {
  return (100 * share).toFixed(1);
}

/** What makes the one model that a group was distilled into worth less, or why there is none. */
export function distilledWarnings(
  { min_pairs, fine_tune }: ExperimentConfig,
  distilled: DistilledRecord | null,
): Warning[] {
  if (distilled === null) return [];
  const { dataset, fineTune, labelled, objective } = distilled;
  const pairs = dataset.parts['pairs']?.available ?? 0;
  const more = 'Ask more training questions (task.train_size).';
  if (fineTune.model === null) {
    const why =
      labelled === 0
        ? 'no training question of the last iteration had a label'
        : objective === 'imitation'
          ? 'no answer of the last iteration equalled a label'
          : 'no answers of the last iteration could be compared: to no question did some equal the label and others not';
    return [warning('distilled', `No model was distilled from the group: ${why}.`, more)];
  }
  if (objective !== 'imitation' && dataset.objective === undefined)
    return [
      warning(
        'distilled',
        `The distilled model kept to imitation, because it had ${counted(pairs, 'pair')} of answers to compare, and min_pairs is ${min_pairs}.`,
        more,
      ),
    ];
  if (fineTune.rewards === undefined || fineTune.rewards.chosen >= 0) return [];
  return [
    warning(
      'distilled',
      'The distilled model finds even the chosen answers less likely than before its training.',
      `Accuracy often falls then. Lower fine_tune.learning_rate (it is ${fine_tune.learning_rate}), or raise fine_tune.sft_weight.`,
    ),
  ];
}
