/** How do Trackio and MLflow get an experiment's metrics? Both over HTTP, and both so that what is sent again is there once. */
import { Axios, isAxiosError } from 'axios';
import { z } from 'zod';
import type { TrackerName } from '../../config/names.ts';
import { terminalSafe } from '../../text/safe-text.ts';
import { flatSettings, lineId, type Metrics, type TrackedRun, type Tracker, TrackerFailed } from './track.ts';

/** A server that hangs costs its own curves some seconds, and nothing else. */
const timeoutMs = 10_000;

/** Lines, metrics and params of one call. MLflow takes no more metrics and params than these. */
const most = { lines: 500, metrics: 1000, params: 100 };

type Request = {
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number>>;
  /** Sent by POST. Without it, the request is a GET. */
  readonly body?: object;
};

type Server = {
  readonly tracker: TrackerName;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Taken out of whatever the server answers. */
  readonly secrets: readonly string[];
  /** What a person can do where it refuses something. */
  readonly remedy: string;
};

type Answer = { readonly status: number; readonly text: string };

const client = new Axios({
  adapter: 'http',
  proxy: false,
  maxRedirects: 0,
  timeout: timeoutMs,
  responseType: 'text',
});

/** @throws TrackerFailed when no answer comes; the caller judges statuses */
async function ask(server: Server, { path, query, body }: Request, signal: AbortSignal): Promise<Answer> {
  const { tracker, url, headers } = server;
  try {
    const { status, data } = await client.request<string>({
      url: `${url}${path}`,
      method: body === undefined ? 'GET' : 'POST',
      ...(query === undefined ? {} : { params: query }),
      ...(body === undefined ? {} : { data: JSON.stringify(body) }),
      headers: { ...headers, 'Content-Type': 'application/json', 'User-Agent': 'colloquy' },
      signal,
    });
    return { status, text: data };
  } catch (error) {
    // An error of axios carries the request's headers, and so the key: only its code goes further.
    const why = isAxiosError(error) ? (error.code ?? 'no connection') : 'no connection';
    throw new TrackerFailed(
      tracker,
      `${url} gives no answer (${why === 'ERR_CANCELED' ? 'it took too long' : why})`,
      'Its curves wait until it answers.',
    );
  }
}

/** @throws TrackerFailed when the server refuses the request */
async function accepted(server: Server, request: Request, signal: AbortSignal): Promise<string> {
  const { status, text } = await ask(server, request, signal);
  if (status >= 200 && status < 300) return text;
  throw refusal(server, { status, text });
}

function refusal({ tracker, url, secrets, remedy }: Server, { status, text }: Answer): TrackerFailed {
  const keys = secrets.filter((each) => each !== '');
  const shown = keys.reduce((left, each) => left.replaceAll(each, '[key]'), text).slice(0, 300);
  return new TrackerFailed(tracker, `${url} refuses the metrics (${status}: ${terminalSafe(shown)})`, remedy);
}

/** @throws TrackerFailed */
function urlIn(tracker: TrackerName, variable: string, example: string, environment: NodeJS.ProcessEnv): URL {
  const given = environment[variable]?.trim() ?? '';
  if (/^https?:\/\/[^/]/.test(given) && URL.canParse(given)) return new URL(given);
  const fault =
    given === ''
      ? `${variable} is not set`
      : `${variable} is no address that begins with http:// or https://`;
  throw new TrackerFailed(tracker, fault, `Set it where the worker runs, e.g. ${variable}=${example}.`);
}

const addressOf = ({ origin, pathname }: URL): string => `${origin}${pathname.replace(/\/+$/, '')}`;

function chunks<Item>(items: readonly Item[], size: number): Item[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, at) =>
    items.slice(at * size, (at + 1) * size),
  );
}

/**
 * A Trackio server (`trackio show`). It is where TRACKIO_SERVER_URL says, which may have the write token, as Trackio prints it; TRACKIO_WRITE_TOKEN is
 * another place for it, and TRACKIO_PROJECT names the project.
 *
 * @throws TrackerFailed when the environment does not say where
 */
export function trackio(environment: NodeJS.ProcessEnv): Tracker {
  const url = urlIn('trackio', 'TRACKIO_SERVER_URL', 'http://127.0.0.1:7860', environment);
  const token = url.searchParams.get('write_token') ?? environment['TRACKIO_WRITE_TOKEN'] ?? '';
  const project = environment['TRACKIO_PROJECT'] || 'colloquy';
  const server: Server = {
    tracker: 'trackio',
    url: addressOf(url),
    headers: { 'x-trackio-write-token': token },
    secrets: [token],
    remedy:
      'Is TRACKIO_WRITE_TOKEN (or the write_token in TRACKIO_SERVER_URL) the one with which it was started?',
  };
  return {
    where: `${server.url}/?project=${encodeURIComponent(project)}`,
    takesLines: true,
    async send({ run, lines }, had, signal) {
      const config = { ...flatSettings(run.config), _Group: run.group, _Created: run.begunAt };
      for (const some of chunks(
        lines.filter((line) => !had.has(lineId(line))),
        most.lines,
      )) {
        const logs = some.map((line) => ({
          project,
          run: run.run,
          run_id: `${run.run}-${run.id}`,
          // Unique in the project: what has the id of an earlier row is not stored again.
          log_id: `${run.run}-${run.id}/${lineId(line)}`,
          step: line.step,
          metrics: line.metrics,
          config,
        }));
        const request = { path: '/api/bulk_log', body: { hf_token: null, logs } };
        await accepted(server, request, signal);
      }
    },
  };
}

const runSchema = z.object({
  info: z.object({ run_id: z.string(), start_time: z.number(), status: z.string() }),
  data: z.object({ params: z.array(z.object({ key: z.string(), value: z.string() })).default([]) }),
});
const runsSchema = z.object({ runs: z.array(runSchema).default([]) });
const experimentSchema = z.object({ experiment: z.object({ experiment_id: z.string() }) });
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
 * @throws TrackerFailed when the environment does not say where
 */
export function mlflow(environment: NodeJS.ProcessEnv): Tracker {
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
    remedy: mlflowRemedy,
  };
  return {
    where: server.url,
    takesLines: true,
    async send(metrics, had, signal) {
      await sendToMlflow(mlflowApi(server, experiment, signal), metrics, had);
    },
  };
}

const root = '/api/2.0/mlflow';
const mlflowRemedy =
  'Has it got the key it wants (MLFLOW_TRACKING_TOKEN, or …_USERNAME and …_PASSWORD), and does its --allowed-hosts name the host?';

function mlflowApi(server: Server, experiment: string, signal: AbortSignal) {
  const call = async (request: Request): Promise<unknown> =>
    JSON.parse(await accepted(server, { ...request, path: `${root}${request.path}` }, signal));
  return {
    post: (path: string, body: object) => call({ path, body }),
    get: (path: string, query: NonNullable<Request['query']>) => call({ path, query }),
    async experimentId(): Promise<string> {
      const query = { experiment_name: experiment };
      const find = () => ask(server, { path: `${root}/experiments/get-by-name`, query }, signal);
      let found = await find();
      if (found.status === 404) {
        // Another worker may make it at the same moment: then this one is refused, and finds that one's.
        await ask(server, { path: `${root}/experiments/create`, body: { name: experiment } }, signal);
        found = await find();
      }
      if (found.status !== 200) throw refusal(server, found);
      return experimentSchema.parse(JSON.parse(found.text)).experiment.experiment_id;
    },
  };
}
type Api = ReturnType<typeof mlflowApi>;

async function sendToMlflow(
  api: Api,
  { run, lines, finished }: Metrics,
  had: ReadonlySet<string>,
): Promise<void> {
  const { info, data } = await ownRun(api, run);
  const { run_id } = info;
  const begun = Date.parse(run.begunAt);
  const points = lines
    .filter((line) => !had.has(lineId(line)))
    .flatMap(({ metrics, step, seconds }) =>
      Object.entries(metrics).map(([key, value]) => ({
        key,
        value,
        step,
        timestamp: begun + Math.round(seconds * 1000),
      })),
    );
  // What a process before this one has sent is read back: a point that is sent again at another time would be a second one.
  const there =
    had.size === 0 ? await pointsThere(api, run_id, new Set(points.map(({ key }) => key))) : new Set();
  const missing = points.filter((point) => !there.has(pointName(point)));
  const known = new Set(data.params.map(({ key }) => key));
  const params = Object.entries(flatSettings(run.config))
    .filter(([key]) => !known.has(key))
    .map(([key, value]) => ({ key, value: String(value).slice(0, 6000) }));
  for (const some of chunks(params, most.params)) await api.post('/runs/log-batch', { run_id, params: some });
  for (const some of chunks(missing, most.metrics))
    await api.post('/runs/log-batch', { run_id, metrics: some });
  const status = finished ? 'FINISHED' : 'RUNNING';
  const end = begun + Math.round((lines.at(-1)?.seconds ?? 0) * 1000);
  if (info.status !== status)
    await api.post('/runs/update', { run_id, status, ...(finished ? { end_time: end } : {}) });
}

/** The experiment's run: the oldest that has its tag. Two workers that make one at the same moment keep the same one. */
async function ownRun(api: Api, run: TrackedRun): Promise<MlflowRun> {
  const experiment = await api.experimentId();
  const name = `${run.run}-${run.id}`;
  const search = async (): Promise<MlflowRun[]> => {
    const found = await api.post('/runs/search', {
      experiment_ids: [experiment],
      filter: `tags."colloquy.run" = '${name}'`,
      order_by: ['attribute.start_time ASC', 'attribute.run_id ASC'],
    });
    return runsSchema.parse(found).runs;
  };
  const [there] = await search();
  if (there !== undefined) return there;
  const tags = { 'colloquy.run': name, 'colloquy.experiment': run.run, 'colloquy.group': run.group ?? '' };
  const made = await api.post('/runs/create', {
    experiment_id: experiment,
    run_name: run.run,
    start_time: Date.parse(run.begunAt),
    tags: Object.entries(tags).map(([key, value]) => ({ key, value })),
  });
  const own = z.object({ run: runSchema }).parse(made).run;
  const [first = own] = await search();
  if (first.info.run_id !== own.info.run_id) await api.post('/runs/delete', { run_id: own.info.run_id });
  return first;
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
