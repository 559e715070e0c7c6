import type { DifferenceInterval } from '../../algorithm/measures/tests.ts';
import { points } from '../../text/figures.ts';

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
