import type { Agent } from '../../algorithm/agents.ts';
import type { Evaluation } from '../../algorithm/evaluation.ts';
import { fixedSettings } from '../../config/resolve.ts';
import { readResult } from '../../report/read/experiment.ts';
import { writeReport, writeSeriesReport } from '../../report/write.ts';
import { writeDocument } from '../../store/files/documents.ts';
import { readRows } from '../../store/files/rows.ts';
import type { Model } from '../../store/models.ts';
import { standingEvaluations } from '../../algorithm/guard.ts';
import type { ExperimentResult, NightOutcome } from '../../store/records/result.ts';
import { heldOutQuestionSchema } from '../../store/records/rows.ts';
import {
  addToLedger,
  heldOutHash,
  modelsOf,
  type NightEntry,
  type NightPlan,
  readLedger,
} from '../../store/series.ts';
import { experimentFiles } from '../../store/store.ts';
import { percent, points } from '../../text/figures.ts';
import { configInForce } from '../../store/records/config-changes.ts';
import type { Dependencies, Running } from '../activity.ts';
import { readPlan } from './plan-night.ts';

type CloseRequest = {
  readonly experiment: string;
  /** As the last iteration left them, or the best one by its guard. */
  readonly agents: readonly Agent<Model>[];
};

/**
 * The last step of a night that has succeeded: decides whether it is carried on and adds it to the series' ledger. That is its last
 * effect, so that a night which ends in any other way has changed nothing for the next. Tried again, it finds the night added.
 */
export async function closeNight(
  { experiment, agents }: CloseRequest,
  { store }: Dependencies,
  { signal }: Running,
): Promise<NightOutcome> {
  const files = experimentFiles(store, experiment);
  const config = await configInForce(files);
  const plan = await readPlan(files);
  const heldOut = await readRows(files.questions('heldout'), heldOutQuestionSchema);
  for (;;) {
    const result = await readResult(files);
    const ledger = await readLedger(store, plan.series);
    const known = ledger.find((night) => night.experiment === experiment);
    const night =
      known ??
      nightEntry(plan, result, agents, {
        ledger,
        maxDrop: config.carry_over?.max_drop ?? 0,
        fixed: fixedSettings(config),
        heldOut: heldOutHash(heldOut),
      });
    const outcome = outcomeOf(night);
    await writeSeriesReport(store, plan.series, known === undefined ? [...ledger, night] : ledger);
    await writeDocument(files.nightEntry, night);
    await writeDocument(files.result, { ...result, night: outcome } satisfies ExperimentResult);
    await writeReport(files);
    signal.throwIfAborted();
    if (known !== undefined || (await addToLedger(store, night, heldOut))) return outcome;
  }
}

function nightEntry(
  plan: NightPlan,
  result: ExperimentResult,
  agents: readonly Agent<Model>[],
  series: {
    readonly ledger: readonly NightEntry[];
    readonly maxDrop: number;
    readonly fixed: Record<string, unknown>;
    readonly heldOut: string;
  },
): NightEntry {
  const { ledger, maxDrop, fixed, heldOut } = series;
  const { name } = result;
  const evaluations = standingEvaluations(result);
  const verdict = nightVerdict(plan, ledger, evaluations, maxDrop);
  const made = modelsOf(agents);
  return {
    formatVersion: 1,
    ...verdict,
    experiment: name,
    evaluations,
    maxDrop,
    made,
    next: nextStart(verdict.outcome, plan, name, evaluations.at(-1)?.iteration ?? 0, made),
    asked: plan.asked,
    position: plan.position + plan.asked.reduce((sum, { keys }) => sum + keys.length, 0),
    fixed,
    heldOut,
    finishedAt: new Date().toISOString(),
  };
}

function nextStart(
  outcome: NightOutcome['outcome'],
  { start }: NightPlan,
  experiment: string,
  iteration: number,
  made: NightEntry['made'],
): NightEntry['next'] {
  switch (outcome) {
    case 'accepted':
      return { night: experiment, agents: made, evaluated: { experiment, iteration } };
    case 'fell':
      // This night has evaluated them, whether or not another one had.
      return { ...start, evaluated: start.evaluated ?? { experiment, iteration: 0 } };
    case 'overtaken':
    default:
      outcome satisfies 'overtaken';
      return null;
  }
}

function outcomeOf({ series, sequence, from, outcome, said }: NightEntry): NightOutcome {
  return { series, sequence, from, outcome, said };
}

/**
 * Decides what becomes of a night, and says so. It is carried on unless another night that began with the same agents was finished
 * first, or its held-out debate accuracy fell by more than `maxDrop`.
 *
 * @param ledger the series' finished nights, without this one
 * @param evaluations of the night: first of the agents that it began with
 */
export function nightVerdict(
  { series, head, start }: NightPlan,
  ledger: readonly NightEntry[],
  evaluations: readonly Evaluation[],
  maxDrop: number,
): NightOutcome {
  const sequence = ledger.length + 1;
  const verdict = (outcome: NightOutcome['outcome'], said: string): NightOutcome => ({
    series,
    sequence,
    from: start.night,
    outcome,
    said: `Night ${sequence} of the series ${series}: ${said}`,
  });
  const from = start.night === null ? 'the base model' : `the agents of ${start.night}`;
  const begin = evaluations[0]?.debate.accuracy ?? 0;
  const end = evaluations.at(-1)?.debate.accuracy ?? 0;
  const change = `${percent(begin)} to ${percent(end)} (${points(end - begin)} points)`;
  const first = ledger.find(({ next, sequence }) => next !== null && sequence > head);
  if (first !== undefined) {
    return verdict(
      'overtaken',
      `not carried on, because ${first.experiment} was finished first and began with ${from}, too. ` +
        `Held-out debate accuracy went from ${change}. The models of this night are kept.`,
    );
  }
  // A rounding error of the subtraction is no fall.
  if (begin - end > maxDrop + 1e-9) {
    return verdict(
      'fell',
      `not carried on, because held-out debate accuracy fell from ${change}, by more than the ${(maxDrop * 100).toFixed(1)} ` +
        `points of max_drop. The models of this night are kept; the next one begins again with ${from}, and with fresh questions.`,
    );
  }
  return verdict('accepted', `carried on. Held-out debate accuracy went from ${change}.`);
}
