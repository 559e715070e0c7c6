/**
 * How do trackers follow an experiment while it runs? A worker sends them its metrics beside its steps, which never wait for a tracker: a
 * tracker that is down, slow, or not set up costs its own curves some time and nothing else.
 */
import type { Logger } from 'pino';
import { type TrackerName, trackersOf } from '../../config/names.ts';
import { messageOf } from '../../errors.ts';
import { readRows, writeRows } from '../../store/files/rows.ts';
import { configInForce } from '../../store/records/config-changes.ts';
import { type StepLoss, stepLossSchema } from '../../store/records/iteration.ts';
import { experimentFiles, type ExperimentFiles, type Store } from '../../store/store.ts';
import { type Events, type FineTune, onEvent } from '../events.ts';
import { tensorboard, wandb } from './files.ts';
import { mlflow } from './mlflow.ts';
import { type Known, nothingKnown, orNull, track, trackingLog } from './track.ts';
import { type Tracker, TrackerFailed, trackio } from './tracker.ts';

/** A tracker for an experiment. @throws TrackerFailed when the environment does not say where it is */
export type OpenTracker = (name: TrackerName, store: Store, files: ExperimentFiles) => Tracker;

/** The trackers that this process's environment describes. */
export const openTracker: OpenTracker = (name, store, files) => {
  switch (name) {
    case 'trackio':
      return trackio(process.env);
    case 'mlflow':
      return mlflow(process.env, files);
    case 'wandb':
      return wandb(store, files, process.env);
    case 'tensorboard':
    default:
      name satisfies 'tensorboard';
      return tensorboard(files);
  }
};

/** Like `openTracker`; one that is not set up fails when it is sent something. */
export function openedTracker(...[name, store, files]: Parameters<OpenTracker>): Tracker {
  try {
    return openTracker(name, store, files);
  } catch (error) {
    if (!(error instanceof TrackerFailed)) throw error;
    return { where: name, takesLines: true, send: () => Promise.reject(error) };
  }
}

/** Steps after which there is something new to follow. */
const kinds = new Set([
  'evaluate',
  'measureDiversity',
  'recordIteration',
  'recordDistilled',
  'writeResult',
  'closeNight',
]);

export type FollowSettings = {
  readonly open?: OpenTracker;
  /** How often losses are sent while a model is trained. */
  readonly lossesEveryMs?: number;
  /** When a tracker that has failed is tried again, if nothing new comes before. */
  readonly againAfterMs?: number;
  /** How long the end of a worker may wait for trackers. */
  readonly lastMs?: number;
};

type Wanted = 'nothing' | 'losses' | 'all';

/** An experiment of which this worker has done something. */
type Followed = {
  /** What was seen and is not in the training logs yet. */
  losses: { readonly whose: FineTune; readonly row: StepLoss }[];
  /** What is to be sent next. */
  wanted: Wanted;
  timer?: NodeJS.Timeout | undefined;
  running?: Promise<void> | undefined;
  readonly known: Known;
  /** The trackers about which the log says that they are behind. */
  readonly behind: Set<TrackerName>;
};

/** Sends the metrics of the experiments whose config names trackers (`report_to`), from now on until `close`. */
export function followExperiments(
  store: Store,
  log: Pick<Logger, 'info' | 'warn'>,
  {
    open = openedTracker,
    lossesEveryMs = 15_000,
    againAfterMs = 60_000,
    lastMs = 5_000,
  }: FollowSettings = {},
): { readonly close: () => Promise<void> } {
  const all = new Map<string, Followed>();
  const ending = new AbortController();
  let closed = false;

  function followed(experiment: string): Followed {
    const made: Followed = { losses: [], wanted: 'nothing', known: nothingKnown(), behind: new Set() };
    const found = all.get(experiment) ?? made;
    all.set(experiment, found);
    return found;
  }

  function want(experiment: string, wanted: Wanted, inMs: number): void {
    const own = followed(experiment);
    if (own.wanted !== 'all') own.wanted = wanted;
    // One at a time: what has come meanwhile is sent afterwards.
    if (closed || own.running !== undefined || (own.timer !== undefined && inMs > 0)) return;
    clearTimeout(own.timer);
    own.timer = setTimeout(() => void run(experiment, own), inMs).unref();
  }

  function run(experiment: string, own: Followed): Promise<void> {
    clearTimeout(own.timer);
    own.timer = undefined;
    const { wanted } = own;
    own.wanted = 'nothing';
    own.running = report(experiment, own, wanted)
      // E.g. the store is away. The experiment's own steps say so.
      .catch((error: unknown) => log.info({ experiment, says: messageOf(error) }, 'metrics are sent later'))
      .finally(() => {
        own.running = undefined;
        if (own.wanted !== 'nothing') want(experiment, own.wanted, own.wanted === 'all' ? 0 : lossesEveryMs);
      });
    return own.running;
  }

  async function report(experiment: string, own: Followed, wanted: Wanted): Promise<void> {
    const losses = own.losses.splice(0);
    const files = experimentFiles(store, experiment);
    const names = trackersOf(await configInForce(files));
    if (names.length === 0) return;
    await addLosses(files, losses);
    const opened = names.map((name) => [name, open(name, store, files)] as const);
    const trackers = new Map(opened.filter(([, { takesLines }]) => wanted === 'all' || takesLines));
    let behind = false;
    for (const { tracker, problem, where } of await track(files, trackers, ending.signal, own.known)) {
      const said = own.behind.has(tracker);
      if (problem === null) {
        if (own.behind.delete(tracker))
          log.info({ experiment, tracker, where }, 'the tracker has all metrics again');
        continue;
      }
      behind = true;
      own.behind.add(tracker);
      if (!said)
        log.warn(
          { experiment, tracker, says: problem },
          'a tracker is behind: the experiment goes on without it',
        );
    }
    // Later than what is wanted anyway.
    if (behind && !closed && own.wanted === 'nothing')
      setTimeout(() => want(experiment, 'all', 0), againAfterMs).unref();
  }

  const stop = [
    onEvent('step finished', ({ experiment, kind }) => {
      if (kinds.has(kind)) want(experiment, 'all', 0);
    }),
    onEvent(
      'fine-tune step',
      ({ loss, step, totalSteps: _steps, tokensPerSecond: _speed, ...whose }: Events['fine-tune step']) => {
        if (loss === null) return;
        followed(whose.experiment).losses.push({ whose, row: { step, loss } });
        want(whose.experiment, 'losses', lossesEveryMs);
      },
    ),
  ];

  return {
    async close() {
      for (const each of stop) each();
      closed = true;
      const last = setTimeout(() => ending.abort(), lastMs);
      await Promise.all(
        [...all].map(async ([experiment, own]) => {
          await own.running;
          if (own.wanted !== 'nothing') await run(experiment, own);
        }),
      );
      clearTimeout(last);
    },
  };
}

/** Adds losses to the training logs. The first of a step stays: a trainer that goes on from a checkpoint does some steps again. */
async function addLosses(files: ExperimentFiles, losses: Followed['losses']): Promise<void> {
  const logs = new Map(losses.map(({ whose }) => [trackingLog(files, whose).name, whose]));
  for (const [name, whose] of logs) {
    const place = trackingLog(files, whose);
    const rows = (await orNull(readRows(place, stepLossSchema))) ?? [];
    const known = new Map(rows.map((row) => [row.step, row]));
    for (const { whose: other, row } of losses)
      if (trackingLog(files, other).name === name && !known.has(row.step)) known.set(row.step, row);
    if (known.size > rows.length) await writeRows(place, known.values());
  }
}
