import type { Evaluation } from '../algorithm/evaluation.ts';
import type { PairedTest } from '../algorithm/measures/tests.ts';
import { count, percent, points, pValue } from './format.ts';
import type { ReportData } from './report-data.ts';

/** What an experiment's figures show, and what they do not, in plain sentences. */
export type Findings = { readonly shows: readonly string[]; readonly doesNotShow: readonly string[] };

/** Reads the figures for somebody who has not read the paper. Claims a difference only where the paired test has p < 0.05. */
export function findings({ result, config, debateVersusMajority }: ReportData): Findings {
  const base = result.evaluations[0];
  const last = result.evaluations.at(-1);
  const start = (result.night?.from ?? null) === null ? ofBaseModel : ofNight;
  if (base === undefined || last === undefined) {
    return { shows: ['Nothing was evaluated, so nothing can be said.'], doesNotShow: [] };
  }
  const debating = (evaluation: Evaluation, when: string): string[] => {
    const test = debateVersusMajority.get(evaluation.iteration);
    return test === undefined ? [] : [debateAgainstVote(evaluation, test, when)];
  };
  return {
    shows:
      last.iteration === 0
        ? debating(base, start.when)
        : [
            gain(base, last, start),
            ...debating(base, start.when),
            ...debating(last, `After ${iterations(last)}`),
          ],
    doesNotShow: limits(last, config),
  };
}

type Start = { readonly name: string; readonly debate: string; readonly when: string };

/** What an experiment begins with, as the sentences call it. */
const ofBaseModel: Start = {
  name: 'base model',
  debate: "the base model's debate",
  when: 'Before any training',
};
/** A night of a series begins with trained agents. */
const ofNight: Start = {
  name: 'at the beginning of the night',
  debate: 'the debate at the beginning of the night',
  when: 'At the beginning of the night',
};

function gain(base: Evaluation, last: Evaluation, start: Start): string {
  const { wins, losses, pValue: p } = last.debateVersusBase;
  const single = last.single.accuracy - base.single.accuracy;
  const change =
    `After ${iterations(last)} the debate is right on ${percent(last.debate.accuracy)} of ${count(last.questions)} held-out questions ` +
    `(${start.name}: ${percent(base.debate.accuracy)}), and a single answer on ${percent(last.single.accuracy)} ` +
    `(${points(single)} points). `;
  const paired = `It got ${count(wins)} questions right that ${start.debate} had wrong, and lost ${count(losses)}`;
  if (p >= 0.05) {
    return `${change}${paired}: a difference that chance alone would often make (${chance(p)}). So it does not show a change.`;
  }
  return `${change}${paired}: chance alone would hardly make that ${wins > losses ? 'gain' : 'loss'} (${chance(p)}).`;
}

/** As it is said in a sentence; the table has the power of ten. */
function chance(p: number): string {
  return p < 0.001 ? 'p < 0.001' : `p = ${pValue(p)}`;
}

function debateAgainstVote(evaluation: Evaluation, test: PairedTest, when: string): string {
  const { debate, majority, single } = evaluation;
  const { wins, losses, pValue: p } = test;
  const verdict = p >= 0.05 ? 'about as good as' : wins > losses ? 'better than' : 'worse than';
  return (
    `${when} debating was ${verdict} a vote over the agents' first answers ` +
    `(${percent(debate.accuracy)} against ${percent(majority.accuracy)}; it saved ${count(wins)} questions that the vote had wrong, and ` +
    `spoilt ${count(losses)}: ${chance(p)}); a single answer was right on ${percent(single.accuracy)}.`
  );
}

function iterations({ iteration }: Evaluation): string {
  return iteration === 1 ? 'one iteration' : `${iteration} iterations`;
}

function limits(last: Evaluation, config: unknown): string[] {
  const taught =
    'The standard errors count only the choice of questions. How much another seed of the training would change is not measured here: run the same config with other seeds.';
  const task =
    'It is about one task, whose held-out questions are of the same kind as the training ones; it says nothing about other tasks.';
  const embedded =
    'The embedded model was made careless on purpose, so that self-improvement can be seen in minutes. Its gain says nothing about large models.';
  return [
    ...(last.iteration === 0 ? ['Nothing was trained: only the base model was evaluated.'] : [taught]),
    task,
    ...(JSON.stringify(config ?? null).includes('tiny-arithmetic') ? [embedded] : []),
  ];
}
