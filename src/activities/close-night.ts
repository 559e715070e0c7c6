import type { Agent } from '../algorithm/agents.ts';
import { fixedSettings } from '../config/fixed-settings.ts';
import { readResult } from '../report/report-data.ts';
import { writeReport } from '../report/write-report.ts';
import { writeSeriesReport } from '../report/write-series-report.ts';
import { modelsOf } from '../store/agent-models.ts';
import { writeDocument } from '../store/documents.ts';
import { experimentFiles } from '../store/experiment-files.ts';
import type { ExperimentResult, NightOutcome } from '../store/experiment-result.ts';
import type { ModelRef } from '../store/model-ref.ts';
import type { NightEntry, NightPlan } from '../store/night.ts';
import { heldOutQuestionSchema } from '../store/question-rows.ts';
import { readRows } from '../store/rows.ts';
import { addToLedger, readLedger } from '../store/series-ledger.ts';
import type { Running } from './activity.ts';
import { configOf } from './config-of.ts';
import type { Dependencies } from './dependencies.ts';
import { nightVerdict } from './night-verdict.ts';
import { readPlan } from './plan-night.ts';

type CloseRequest = {
  readonly experiment: string;
  /** As the last iteration left them. */
  readonly agents: readonly Agent<ModelRef>[];
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
  const config = await configOf(files);
  const plan = await readPlan(files);
  const heldOut = await readRows(files.questions('heldout'), heldOutQuestionSchema);
  for (;;) {
    const result = await readResult(files.folder);
    const ledger = await readLedger(store, plan.series);
    const known = ledger.find((night) => night.experiment === experiment);
    const night =
      known ??
      nightEntry(plan, result, agents, {
        ledger,
        maxDrop: config.carry_over?.max_drop ?? 0,
        fixed: fixedSettings(config),
      });
    const outcome = outcomeOf(night);
    await writeSeriesReport(store, plan.series, known === undefined ? [...ledger, night] : ledger);
    await writeDocument(files.nightEntry, night);
    await writeDocument(files.result, { ...result, night: outcome } satisfies ExperimentResult);
    await writeReport(files.folder);
    signal.throwIfAborted();
    if (known !== undefined || (await addToLedger(store, night, heldOut))) return outcome;
  }
}

function nightEntry(
  plan: NightPlan,
  { name, evaluations }: ExperimentResult,
  agents: readonly Agent<ModelRef>[],
  series: {
    readonly ledger: readonly NightEntry[];
    readonly maxDrop: number;
    readonly fixed: Record<string, unknown>;
  },
): NightEntry {
  const { ledger, maxDrop, fixed } = series;
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
