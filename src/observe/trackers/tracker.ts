/** What is a tracker, what does it get, and how are those asked that are servers? Trackio is here, and MLflow in mlflow.ts. */
import { createHash } from 'node:crypto';
import { Axios, isAxiosError } from 'axios';
import type { TrackerName } from '../../config/names.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { terminalSafe } from '../../text/safe-text.ts';
import type { MetricsLine } from '../metrics-stream.ts';

/** What trackers get: the content of metrics.jsonl. */
export type Metrics = {
  readonly run: TrackedRun;
  readonly lines: readonly MetricsLine[];
  /** Whether the experiment has a result. */
  readonly finished: boolean;
};

/** The first line of metrics.jsonl: whose metrics they are. */
export type TrackedRun = {
  readonly v: 1;
  /** The experiment's name. */
  readonly run: string;
  /** By which trackers tell it from others of this name, e.g. one that was removed and begun afresh. */
  readonly id: string;
  /** ISO 8601: when its metrics were first written. */
  readonly begunAt: string;
  /** The study or the series that it belongs to; null where there is none. */
  readonly group: string | null;
  /** Its settings as it was begun. */
  readonly config: Readonly<Record<string, unknown>>;
};

/** A place that shows metrics. What it is asked for may be repeated: it never has a line twice. */
export type Tracker = {
  /** For people: where it shows the experiment. */
  readonly where: string;
  /** Whether lines are sent to it as they come, also while a model is trained; otherwise after steps of the experiment. */
  readonly takesLines: boolean;
  /**
   * Resolves when the tracker has all lines.
   *
   * @param had the lines that this process has sent before, by `lineId`
   * @throws TrackerFailed
   */
  send(metrics: Metrics, had: ReadonlySet<string>, signal: AbortSignal): Promise<void>;
};

/** A tracker does not take what it is sent. The experiment goes on all the same. */
export class TrackerFailed extends ColloquyError {
  override name = 'TrackerFailed' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;

  /**
   * @param fault what happened, where; without a key
   * @param remedy what a person can do, as a sentence
   */
  constructor(tracker: TrackerName, fault: string, remedy: string) {
    super(`${tracker}: ${fault}. ${remedy}`);
  }
}

/** A name for a line with its content. */
export function lineId({ key, metrics }: MetricsLine): string {
  return `${key}#${shortHash(JSON.stringify(metrics))}`;
}

export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

/** Settings as trackers list them: `fine_tune.learning_rate: 0.0002`. */
export function flatSettings(settings: object, above = ''): Record<string, string | number | boolean> {
  return Object.fromEntries(
    Object.entries(settings).flatMap(([key, value]: [string, unknown]) => {
      const path = `${above}${key}`;
      if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string')
        return [[path, value] as const];
      if (typeof value === 'object' && value !== null && !Array.isArray(value))
        return Object.entries(flatSettings(value, `${path}.`));
      return value === undefined || value === null ? [] : [[path, JSON.stringify(value)] as const];
    }),
  );
}

/** A server that hangs costs its own curves some seconds, and nothing else. */
const timeoutMs = 10_000;

/** Lines of one call to Trackio. */
const mostLines = 500;

export type Request = {
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number>>;
  /** Sent by POST. Without it, the request is a GET. */
  readonly body?: object;
};

export type Server = {
  readonly tracker: TrackerName;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Taken out of whatever the server answers. */
  readonly secrets: readonly string[];
  /** What a person can do where it refuses something. */
  readonly remedy: string;
};

export type Answer = { readonly status: number; readonly text: string };

const client = new Axios({
  adapter: 'http',
  proxy: false,
  maxRedirects: 0,
  timeout: timeoutMs,
  responseType: 'text',
});

/** @throws TrackerFailed when no answer comes; the caller judges statuses */
export async function ask(
  server: Server,
  { path, query, body }: Request,
  signal: AbortSignal,
): Promise<Answer> {
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
export async function accepted(server: Server, request: Request, signal: AbortSignal): Promise<string> {
  const { status, text } = await ask(server, request, signal);
  if (status >= 200 && status < 300) return text;
  throw refusal(server, { status, text });
}

export function refusal({ tracker, url, secrets, remedy }: Server, { status, text }: Answer): TrackerFailed {
  const keys = secrets.filter((each) => each !== '');
  const shown = keys.reduce((left, each) => left.replaceAll(each, '[key]'), text).slice(0, 300);
  return new TrackerFailed(tracker, `${url} refuses the metrics (${status}: ${terminalSafe(shown)})`, remedy);
}

/** @throws TrackerFailed */
export function urlIn(
  tracker: TrackerName,
  variable: string,
  example: string,
  environment: NodeJS.ProcessEnv,
): URL {
  const given = environment[variable]?.trim() ?? '';
  if (/^https?:\/\/[^/]/.test(given) && URL.canParse(given)) return new URL(given);
  const fault =
    given === ''
      ? `${variable} is not set`
      : `${variable} is no address that begins with http:// or https://`;
  throw new TrackerFailed(tracker, fault, `Set it where the worker runs, e.g. ${variable}=${example}.`);
}

export const addressOf = ({ origin, pathname }: URL): string => `${origin}${pathname.replace(/\/+$/, '')}`;

export function chunks<Item>(items: readonly Item[], size: number): Item[][] {
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
        mostLines,
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
