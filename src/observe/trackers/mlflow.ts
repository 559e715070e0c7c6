/** How does an MLflow server get an experiment's metrics? As one run, however many workers send them, and so that what is sent again is there once. */
import { z } from 'zod';
import { findDocument, writeDocumentOnce } from '../../store/files/documents.ts';
import type { ExperimentFiles } from '../../store/store.ts';
import type { MetricsLine } from '../metrics-stream.ts';
import {
  accepted,
  addressOf,
  ask,
  chunks,
  flatSettings,
  lineId,
  type Metrics,
  refusal,
  type Request,
  type Server,
  shortHash,
  type TrackedRun,
  type Tracker,
  urlIn,
} from './tracker.ts';

/** Metrics and params of one call. MLflow takes no more. */
const most = { metrics: 1000, params: 100 };

const runSchema = z.object({
  info: z.object({ run_id: z.string(), status: z.string(), lifecycle_stage: z.string() }),
  data: z.object({
    params: z.array(z.object({ key: z.string(), value: z.string() })).default([]),
    /** The newest point of each. */
    metrics: z.array(z.unknown()).default([]),
  }),
});
const answerSchema = z.object({ run: runSchema });
const runsSchema = z.object({ runs: z.array(runSchema).default([]) });
const experimentSchema = z.object({
  experiment: z.object({
    experiment_id: z.string(),
    creation_time: z.union([z.string(), z.number()]).default(''),
  }),
});
const historySchema = z.object({
  metrics: z
    .array(z.object({ value: z.union([z.number(), z.string()]), step: z.coerce.number() }))
    .default([]),
  next_page_token: z.string().optional(),
});
type MlflowRun = z.infer<typeof runSchema>;

/**
 * An MLflow server. The environment has MLflow's own variables: MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME, and MLFLOW_TRACKING_TOKEN or
 * MLFLOW_TRACKING_USERNAME with MLFLOW_TRACKING_PASSWORD.
 *
 * @param files of the experiment, which say which run of the server is its own
 * @throws TrackerFailed when the environment does not say where
 */
export function mlflow(environment: NodeJS.ProcessEnv, files: ExperimentFiles): Tracker {
  const url = urlIn('mlflow', 'MLFLOW_TRACKING_URI', 'http://127.0.0.1:5000', environment);
  const { MLFLOW_TRACKING_TOKEN: token = '', MLFLOW_TRACKING_PASSWORD: password = '' } = environment;
  const user = environment['MLFLOW_TRACKING_USERNAME'] ?? '';
  const experiment = environment['MLFLOW_EXPERIMENT_NAME'] || 'colloquy';
  const basic = Buffer.from(`${user}:${password}`).toString('base64');
  const server: Server = {
    tracker: 'mlflow',
    url: addressOf(url),
    headers:
      token !== ''
        ? { Authorization: `Bearer ${token}` }
        : user !== ''
          ? { Authorization: `Basic ${basic}` }
          : {},
    secrets: [token, password, basic],
    remedy:
      'Has it got the key it wants (MLFLOW_TRACKING_TOKEN, or …_USERNAME and …_PASSWORD), and does its --allowed-hosts name the host?',
  };
  return {
    where: server.url,
    takesLines: true,
    async send(metrics, had, signal) {
      await sendToMlflow(mlflowApi(server, experiment, signal), files, metrics, had);
    },
  };
}

const root = '/api/2.0/mlflow';

function mlflowApi(server: Server, experiment: string, signal: AbortSignal) {
  const at = (request: Request): Request => ({ ...request, path: `${root}${request.path}` });
  const call = async (request: Request): Promise<unknown> =>
    JSON.parse(await accepted(server, at(request), signal));
  return {
    post: (path: string, body: object) => call({ path, body }),
    get: (path: string, query: NonNullable<Request['query']>) => call({ path, query }),
    async experiment(): Promise<z.infer<typeof experimentSchema>['experiment']> {
      const query = { experiment_name: experiment };
      const find = () => ask(server, at({ path: '/experiments/get-by-name', query }), signal);
      let found = await find();
      if (found.status === 404) {
        // Another worker may make it at the same moment: then this one is refused, and finds that one's.
        await ask(server, at({ path: '/experiments/create', body: { name: experiment } }), signal);
        found = await find();
      }
      if (found.status !== 200) throw refusal(server, found);
      return experimentSchema.parse(JSON.parse(found.text)).experiment;
    },
    /** The run of this id; null when it is not there, or was deleted. */
    async run(run_id: string): Promise<MlflowRun | null> {
      const found = await ask(server, at({ path: '/runs/get', query: { run_id } }), signal);
      if (found.status === 404) return null;
      if (found.status !== 200) throw refusal(server, found);
      const { run } = answerSchema.parse(JSON.parse(found.text));
      return run.info.lifecycle_stage === 'active' ? run : null;
    },
    /** A run that another worker has deleted meanwhile is refused, which is as good. One that stays is found again. */
    async delete(run_id: string): Promise<void> {
      await ask(server, at({ path: '/runs/delete', body: { run_id } }), signal);
    },
  };
}
type Api = ReturnType<typeof mlflowApi>;

async function sendToMlflow(
  api: Api,
  files: ExperimentFiles,
  { run, lines, finished }: Metrics,
  had: ReadonlySet<string>,
): Promise<void> {
  const server = await api.experiment();
  const { info, data } = await ownRun(api, server, files, run);
  const { run_id } = info;
  const status = finished ? 'FINISHED' : 'RUNNING';
  if (had.size === 0 || info.status !== status) await deleteOthers(api, server, run, run_id);
  const begun = Date.parse(run.begunAt);
  // One without a point is not the one that had them: a person has deleted that.
  const sent = data.metrics.length === 0 ? new Set<string>() : had;
  const points = pointsOf(
    lines.filter((line) => !sent.has(lineId(line))),
    begun,
  );
  const settings = Object.entries(flatSettings(run.config));
  await sendMissing(
    most.params,
    async (refused) => {
      const now = refused ? ((await api.run(run_id))?.data ?? data) : data;
      const known = new Set(now.params.map(({ key }) => key));
      return settings
        .filter(([key]) => !known.has(key))
        .map(([key, value]) => ({ key, value: String(value).slice(0, 6000) }));
    },
    (params) => api.post('/runs/log-batch', { run_id, params }),
  );
  await sendMissing(
    most.metrics,
    async (refused) => {
      // What a process before this one has sent is read back: a point that is sent again at another time would be a second one.
      const there =
        had.size === 0 || refused
          ? await pointsThere(api, run_id, new Set(points.map(({ key }) => key)))
          : new Set();
      return points.filter((point) => !there.has(pointName(point)));
    },
    (metrics) => api.post('/runs/log-batch', { run_id, metrics }),
  );
  const end = begun + Math.round((lines.at(-1)?.seconds ?? 0) * 1000);
  if (info.status !== status)
    await api.post('/runs/update', { run_id, status, ...(finished ? { end_time: end } : {}) });
}

/**
 * Sends what the server lacks. Where another worker sends the same at the same moment, the server refuses all of a call and has what that
 * worker sent: then the rest is sent again, as long as the server lacks less after each refusal.
 */
async function sendMissing<Item>(
  most: number,
  missing: (refused: boolean) => Promise<Item[]>,
  send: (some: Item[]) => Promise<unknown>,
): Promise<void> {
  let left = await missing(false);
  while (left.length > 0) {
    try {
      for (const some of chunks(left, most)) await send(some);
      return;
    } catch (error) {
      const before = left.length;
      left = await missing(true);
      if (left.length >= before) throw error;
    }
  }
}

const noteSchema = z.strictObject({ formatVersion: z.literal(1), runId: z.string() });
type MlflowExperiment = z.infer<typeof experimentSchema>['experiment'];

/**
 * The experiment's run. MLflow makes a run for each worker that asks for one, so the store decides: the one that is written there first is the
 * experiment's, and gets all points. Nobody sends a point to a run before it is written there.
 */
async function ownRun(
  api: Api,
  server: MlflowExperiment,
  files: ExperimentFiles,
  run: TrackedRun,
): Promise<MlflowRun> {
  // Not the address: workers may know one server by several.
  const which = shortHash(`${server.experiment_id} ${server.creation_time}`);
  for (let number = 1; ; number += 1) {
    const place = files.tracked.mlflowRun(which, number);
    const noted =
      (await findDocument(place, noteSchema)) ??
      (await writeDocumentOnce(
        place,
        { formatVersion: 1 as const, runId: await foundOrMade(api, server, run) },
        noteSchema,
      ));
    const found = await api.run(noted.runId);
    if (found !== null) return found;
    // A person has deleted it. The next number is of the next one.
  }
}

/** A run for the experiment: one with its tag, e.g. of a worker that was killed before it could write which it had made, or else a new one. */
async function foundOrMade(api: Api, server: MlflowExperiment, run: TrackedRun): Promise<string> {
  const [there] = await runsWithTag(api, server, run);
  if (there !== undefined) return there.info.run_id;
  const tags = {
    'colloquy.run': tagOf(run),
    'colloquy.experiment': run.run,
    'colloquy.group': run.group ?? '',
  };
  const made = await api.post('/runs/create', {
    experiment_id: server.experiment_id,
    run_name: run.run,
    start_time: Date.parse(run.begunAt),
    tags: Object.entries(tags).map(([key, value]) => ({ key, value })),
  });
  return answerSchema.parse(made).run.info.run_id;
}

/** Deletes runs of the experiment that are not the one that counts: others have made them at the same moment. MLflow can restore them. */
async function deleteOthers(
  api: Api,
  server: MlflowExperiment,
  run: TrackedRun,
  counts: string,
): Promise<void> {
  for (const { info } of await runsWithTag(api, server, run))
    if (info.run_id !== counts) await api.delete(info.run_id);
}

const tagOf = ({ run, id }: TrackedRun): string => `${run}-${id}`;

/** The oldest first; of equally old ones, all workers see the same order. */
async function runsWithTag(api: Api, server: MlflowExperiment, run: TrackedRun): Promise<MlflowRun[]> {
  const found = await api.post('/runs/search', {
    experiment_ids: [server.experiment_id],
    filter: `tags."colloquy.run" = '${tagOf(run)}'`,
    order_by: ['attribute.start_time ASC', 'attribute.run_id ASC'],
  });
  return runsSchema.parse(found).runs;
}

function pointsOf(lines: readonly MetricsLine[], begun: number) {
  return lines.flatMap(({ metrics, step, seconds }) =>
    Object.entries(metrics).map(([key, value]) => ({
      key,
      value,
      step,
      timestamp: begun + Math.round(seconds * 1000),
    })),
  );
}

async function pointsThere(api: Api, run_id: string, keys: ReadonlySet<string>): Promise<Set<string>> {
  const points = new Set<string>();
  for (const key of keys) {
    for (let page: string | undefined = ''; page !== undefined;) {
      const query = {
        run_id,
        metric_key: key,
        max_results: 20_000,
        ...(page === '' ? {} : { page_token: page }),
      };
      const found = historySchema.parse(await api.get('/metrics/get-history', query));
      for (const point of found.metrics) points.add(pointName({ key, ...point }));
      page = found.next_page_token || undefined;
    }
  }
  return points;
}

function pointName({ key, step, value }: { key: string; step: number; value: number | string }): string {
  return `${key} ${step} ${value}`;
}
