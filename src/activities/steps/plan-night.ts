import { createHash } from 'node:crypto';
import { type Agent, baseAgents } from '../../algorithm/agents.ts';
import { methods } from '../../algorithm/methods.ts';
import type { HeldOutQuestion } from '../../algorithm/answer.ts';
import { agentCount, type ExperimentConfig } from '../../config/experiment.ts';
import type { ModelForm } from '../../config/fine-tune.ts';
import { InvalidConfig } from '../../config/faults.ts';
import { configDifference, fixedSettings } from '../../config/resolve.ts';
import { type Before, loadNight, type TaskData } from '../../questions/open-task.ts';
import { type Task } from '../../questions/task.ts';
import { remove } from '../../store/blobs.ts';
import { SeriesDamaged } from '../../store/errors.ts';
import { findDocument, requireDocument, writeDocumentOnce } from '../../store/files/documents.ts';
import type { BaseModel, Model } from '../../store/models.ts';
import {
  type AgentModels,
  agentsOf,
  heldOutOf,
  type NightEntry,
  type NightPlan,
  nightPlanSchema,
  type NightStart,
  readLedger,
} from '../../store/series.ts';
import type { ExperimentFiles, Store } from '../../store/store.ts';

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
  requireFixedSettings(ledger, config, series);
  const { head, start, before } = await stateOf(ledger, config, series, store);
  const { asked } = await loadNight(task, config.seed, before, signal);
  const position = before?.position ?? 0;
  const plan: NightPlan = { formatVersion: 1, series, configSha256, head, start, position, asked };
  // A plan of a start that failed before the experiment began, with another config.
  if (planned !== null) await remove(files.nightPlan);
  return writeDocumentOnce(files.nightPlan, plan, nightPlanSchema);
}

/** The plan of a night that was prepared. @throws ArtifactMissing, ArtifactDamaged */
export async function readPlan(files: ExperimentFiles): Promise<NightPlan> {
  return requireDocument(files.nightPlan, nightPlanSchema);
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

async function stateOf(
  ledger: readonly NightEntry[],
  config: ExperimentConfig,
  series: string,
  store: Store,
): Promise<SeriesState> {
  const first = baseAgents(
    Array.from({ length: agentCount(config) }, () => null),
    methods[config.method].roles,
  );
  return seriesState(ledger, first, ledger.length === 0 ? [] : await heldOutOf(store, series));
}

function requireFixedSettings(ledger: readonly NightEntry[], config: ExperimentConfig, series: string): void {
  const [first] = ledger;
  if (first === undefined) return;
  const differences = configDifference(first.fixed, fixedSettings(config));
  if (differences.length === 0) return;
  throw new InvalidConfig(
    differences.map(({ path, before, after }) => ({
      path,
      message: `the series ${series} was begun with ${JSON.stringify(before)}, not ${JSON.stringify(after)}, and no night may change that; take another series`,
    })),
  );
}

/** What a series has come to: what the next night goes on from. */
export type SeriesState = {
  /** The last night that counts; 0 for none. */
  readonly head: number;
  readonly start: NightStart;
  readonly before: Before | null;
};

/**
 * Reads a ledger up to some night. The nights that count form a chain, each begun from the one before it; a night that another one
 * has overtaken is in the ledger too, but nothing follows from it.
 *
 * @param agents the models that the first night begins with
 * @param heldOut the series' own; not looked at before its first night
 */
export function seriesState(
  ledger: readonly NightEntry[],
  agents: AgentModels,
  heldOut: readonly HeldOutQuestion[],
): SeriesState {
  const counting = ledger.filter(({ next }) => next !== null);
  const last = counting.at(-1);
  if (last === undefined || last.next === null) {
    const start = { night: null, agents, evaluated: null };
    return { head: 0, start, before: null };
  }
  return {
    head: last.sequence,
    start: last.next,
    before: { asked: counting.flatMap(({ asked }) => asked), position: last.position, heldOut },
  };
}
