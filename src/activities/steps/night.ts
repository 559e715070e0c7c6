/** With which agents and questions does a night of a series begin, and is it carried on when it has ended? */
import { createHash } from 'node:crypto';
import { type Agent, baseAgents } from '../../algorithm/agents.ts';
import { methods } from '../../algorithm/methods.ts';
import { agentCount, type ExperimentConfig } from '../../config/experiment.ts';
import type { ModelForm } from '../../config/fine-tune.ts';
import { InvalidConfig } from '../../config/faults.ts';
import { fixedSettings } from '../../config/resolve.ts';
import { type Before, loadNight, type TaskData } from '../../questions/open-task.ts';
import type { Task } from '../../questions/task.ts';
import { remove } from '../../store/blobs.ts';
import { SeriesDamaged } from '../../store/errors.ts';
import {
  findDocument,
  requireDocument,
  writeDocument,
  writeDocumentOnce,
} from '../../store/files/documents.ts';
import type { BaseModel, Model } from '../../store/models.ts';
import {
  addToLedger,
  agentsOf,
  heldOutHash,
  heldOutOf,
  modelsOf,
  type NightEntry,
  type NightPlan,
  nightPlanSchema,
  type NightStart,
  readLedger,
  requireFixedSettings,
} from '../../store/series.ts';
import { type ExperimentFiles, experimentFiles, type Store } from '../../store/store.ts';
import type { Evaluation } from '../../algorithm/evaluation.ts';
import { readResult } from '../../report/read/experiment.ts';
import { writeReport, writeSeriesReport } from '../../report/write.ts';
import { readRows } from '../../store/files/rows.ts';
import { standingEvaluations } from '../../algorithm/guard.ts';
import type { ExperimentResult, NightOutcome } from '../../store/records/result.ts';
import { heldOutQuestionSchema } from '../../store/records/rows.ts';
import { percent, points } from '../../text/figures.ts';
import { configInForce } from '../../store/records/config-changes.ts';
import type { Dependencies, Running } from '../activity.ts';

type Night = {
  readonly task: Task;
  readonly config: ExperimentConfig;
  readonly series: string;
  readonly files: ExperimentFiles;
  readonly signal: AbortSignal;
};

/**
 * The plan of a night: made from the series' ledger when the night first begins, found again whenever it is started again, so that
 * it goes on with the same agents and questions whatever has become of the series meanwhile.
 *
 * @param begun whether the experiment has got as far as to have a config
 * @throws InvalidConfig when it differs from the series' first night in what no night may change
 * @throws SeriesDamaged also when the plan of a night that was begun is lost
 */
export async function planNight(
  { task, config, series, files, signal }: Night,
  store: Store,
  begun: boolean,
): Promise<NightPlan> {
  const configSha256 = createHash('sha256').update(JSON.stringify(config)).digest('hex');
  const planned = await findDocument(files.nightPlan, nightPlanSchema);
  if (planned !== null && (begun || planned.configSha256 === configSha256)) return planned;
  if (begun) {
    const what = `is damaged or gone, and the night was begun with it (to begin the night afresh, abort it and remove ${files.folder.where})`;
    throw new SeriesDamaged(files.nightPlan.where, what);
  }
  const ledger = await readLedger(store, series);
  requireFixedSettings(ledger, config, series, 'series');
  const { head, start, before } = await stateOf(ledger, config, series, store);
  const { asked } = await loadNight(task, config.seed, before, signal);
  const position = before?.position ?? 0;
  const plan: NightPlan = { formatVersion: 1, series, configSha256, head, start, position, asked };
  // A plan of a start that failed before the experiment began, with another config.
  if (planned !== null) await remove(files.nightPlan);
  return writeDocumentOnce(files.nightPlan, plan, nightPlanSchema);
}

/**
 * The questions that the plan says.
 *
 * @throws InvalidConfig when the task no longer has them; SeriesDamaged
 */
export async function questionsOfNight(
  task: Task,
  config: ExperimentConfig,
  { series, head, asked }: NightPlan,
  store: Store,
  signal: AbortSignal,
): Promise<TaskData> {
  const ledger = (await readLedger(store, series)).filter(({ sequence }) => sequence <= head);
  const { before } = await stateOf(ledger, config, series, store);
  const night = await loadNight(task, config.seed, before, signal);
  if (JSON.stringify(night.asked) !== JSON.stringify(asked)) {
    const message = 'its questions have changed since the night was planned, and those planned are not there';
    throw new InvalidConfig([{ path: 'task', message }]);
  }
  return night;
}

/** What the workflow needs to know of a night: references and a sentence. */
export type PlannedNight = {
  readonly agents: readonly Agent<Model>[];
  /** The experiment and iteration that already have the held-out debates of the starting agents. */
  readonly evaluated: NightStart['evaluated'];
  readonly said: string;
};

/** @param bases the agents' base models, by agent */
export function plannedNight(
  { series, start }: NightPlan,
  bases: readonly BaseModel[],
  form: ModelForm,
): PlannedNight {
  const from = start.night === null ? 'the base model' : `the agents that ${start.night} left`;
  return {
    agents: agentsOf(bases, start.agents, form),
    evaluated: start.evaluated,
    said: `A night of the series ${series}: it begins with ${from}, which are what “base” means here.`,
  };
}

/** What a series has come to: what the next night goes on from. */
type SeriesState = {
  /** The last night that counts; 0 for none. */
  readonly head: number;
  readonly start: NightStart;
  readonly before: Before | null;
};

/**
 * Reads a ledger up to some night. The nights that count form a chain, each begun from the one before it; a night that another one
 * has overtaken is in the ledger too, but nothing follows from it.
 */
async function stateOf(
  ledger: readonly NightEntry[],
  config: ExperimentConfig,
  series: string,
  store: Store,
): Promise<SeriesState> {
  const counting = ledger.filter(({ next }) => next !== null);
  const last = counting.at(-1);
  if (last === undefined || last.next === null) {
    const models = Array.from({ length: agentCount(config) }, () => null);
    const agents = baseAgents(models, methods[config.method].roles);
    return { head: 0, start: { night: null, agents, evaluated: null }, before: null };
  }
  const asked = counting.flatMap((night) => night.asked);
  const heldOut = await heldOutOf(store, series);
  return { head: last.sequence, start: last.next, before: { asked, position: last.position, heldOut } };
}

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
  const plan = await requireDocument(files.nightPlan, nightPlanSchema);
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
