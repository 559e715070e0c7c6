/** The server behind `colloquy ui`: pages about a store, which change nothing. It answers to this machine alone. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { promises, Readable } from 'node:stream';
import type { VNode } from 'preact';
import { z } from 'zod';
import { productFile } from '../config/installation.ts';
import { experimentNameSchema, seriesNameSchema, studyNameSchema } from '../config/names.ts';
import { ColloquyError } from '../errors.ts';
import {
  compareExperiments,
  differingQuestions,
  readEvaluated,
} from '../report/analyse/compare-experiments.ts';
import { debateBrowser, debatesSoFar } from '../report/debate-browser/write.ts';
import { rendered, styleSheet } from '../report/parts/page.tsx';
import { loadReportData } from '../report/read/experiment.ts';
import { accuracyTables } from '../report/read/study.ts';
import { accuracyChartOf, experimentCharts, seriesChart } from '../report/write.ts';
import { refusedOnLoopback } from '../serve/chat.ts';
import { below, isThere, type Place } from '../store/blobs.ts';
import { readDocument } from '../store/files/documents.ts';
import { experimentFiles, type Store, studyFiles } from '../store/store.ts';
import {
  type Contents,
  entriesOf,
  entryOf,
  isGoing,
  type LiveList,
  orProblem,
  type Told,
} from './contents.ts';
import { experimentPage, type ExperimentProps, type LiveExperiment } from './experiment-page.tsx';
import { comparePage, type CompareProps, noticePage, seriesPage, studyPage } from './group-pages.tsx';
import { listPage } from './list-page.tsx';

/** What the pages ask of Temporal. None of it changes anything there. */
export type Live = {
  list(): Promise<Told<LiveList>>;
  /** Null when Temporal knows no such experiment. */
  experiment(name: string): Promise<Told<LiveExperiment | null>>;
  /** The states of a study's experiments by their names; null when nobody answers for it. */
  study(name: string): Promise<Told<ReadonlyMap<string, string> | null>>;
};

export type UiOptions = {
  readonly contents: Contents;
  readonly live: Live;
  /** Called with each error that is not about what was asked for. */
  readonly onError?: (error: unknown) => void;
};

type Answer = {
  readonly status: number;
  readonly type: keyof typeof types;
  readonly body: string | AsyncIterable<Buffer>;
  readonly headers?: Readonly<Record<string, string>>;
};
const types = {
  page: 'text/html; charset=utf-8',
  report: 'text/html; charset=utf-8',
  debates: 'text/html; charset=utf-8',
  style: 'text/css; charset=utf-8',
  script: 'text/javascript; charset=utf-8',
  text: 'text/plain; charset=utf-8',
} as const;

/** Only the server's own script runs in its pages. Style attributes are those of the reports' charts and bars. */
const own =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/** A file of the store is a page of its own, of no origin: whatever is in it, it can ask this server for nothing. */
const stored = "style-src 'unsafe-inline'; frame-ancestors 'none'; default-src 'none'; sandbox";
const policies: { readonly [type in Answer['type']]?: string } = {
  report: stored,
  debates: `${stored} allow-scripts; script-src 'unsafe-inline'`,
};

/** A server that is not listening yet. */
export function createUi(options: UiOptions): Server {
  const route = router(options);
  return createServer((request, response) => {
    const answering = answerTo(request, route).catch((error: unknown): Answer => {
      if (!(error instanceof ColloquyError)) options.onError?.(error);
      const why = error instanceof Error ? error.message : String(error);
      return notice(500, 'This page cannot be made', why, options.contents.store);
    });
    void answering
      .then((answer) => send(request, response, answer))
      .catch((error: unknown) => {
        response.destroy();
        if (!response.writableEnded && !request.destroyed) options.onError?.(error);
      });
  });
}

type Route = (url: URL) => Promise<Answer>;

async function answerTo({ headers, method, url = '/' }: IncomingMessage, route: Route): Promise<Answer> {
  const refused = refusedOnLoopback(headers);
  if (refused !== null) return { status: 403, type: 'text', body: refused };
  if (method !== 'GET' && method !== 'HEAD')
    return {
      status: 405,
      type: 'text',
      body: 'These pages only show: GET and HEAD.',
      headers: { allow: 'GET, HEAD' },
    };
  return route(new URL(`http://localhost${url.startsWith('/') ? url : '/'}`));
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status, type, body, headers }: Answer,
): Promise<void> {
  const tag = typeof body === 'string' ? `"${createHash('sha256').update(body).digest('base64url')}"` : null;
  const all = {
    'content-type': types[type],
    'content-security-policy': policies[type] ?? own,
    'cache-control': 'private, no-cache',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
    ...(tag === null ? {} : { etag: tag }),
    ...headers,
  };
  if (tag !== null && status === 200 && request.headers['if-none-match'] === tag) {
    response.writeHead(304, all).end();
  } else if (typeof body === 'string' || request.method === 'HEAD') {
    response.writeHead(status, all).end(typeof body === 'string' ? body : undefined);
  } else {
    response.writeHead(status, all);
    await promises.pipeline(Readable.from(body), response);
  }
}

/** The address of a folder of the store, and of the files in it that are shown; no other name leads anywhere. */
const inStore = /^\/store\/(?:(series|studies)\/)?([^/]+)\/(report\.html|debates\.html)?$/;

function router({ contents, live }: UiOptions): Route {
  const { store } = contents;
  const css = styleSheet('pages/base.css', 'pages/report.css') + productFile('src/ui/page/ui.css');
  const script = productFile('src/ui/page/refresh.mjs');
  const all = lastFew(1, () => contents.experiments());
  const lists = lastFew(1, () => live.list());
  const reports = lastFew(8, (key) => reportOf(store, key.split(' ')[0] ?? ''));
  const told = () => lists(everyFew(3));
  const entries = async () => entriesOf(await all(everyFew(1)), await told());
  const missing = (what: string) =>
    notice(404, 'There is no such page', `${what} is not in the store ${store.root}.`, store);

  async function ofExperiment(name: string, file: string | undefined): Promise<Answer> {
    const experiment = await contents.experiment(name);
    const files = experimentFiles(store, name);
    if (file === 'report.html') return storedFile(files.report, 'report', missing);
    if (file === 'debates.html')
      return (await isThere(files.debateBrowser)) || experiment === null
        ? storedFile(files.debateBrowser, 'debates', missing)
        : { status: 200, type: 'debates', body: debateBrowser(files, await debatesSoFar(files, experiment)) };
    const now = await live.experiment(name);
    const list = await told();
    const runs = 'value' in list ? list.value.runs.filter(({ kind }) => kind === 'experiment') : [];
    const run = runs.find((each) => each.name === name) ?? null;
    if (experiment === null && run === null) return missing(`The experiment ${name}`);
    const entry =
      experiment === null
        ? { name, experiment, run, state: run?.status ?? '' }
        : entryOf(experiment, run, 'value' in now);
    const finishedAt = isGoing(entry) ? null : (experiment?.finishedAt ?? null);
    const read = finishedAt === null ? null : await orProblem(reports(`${name} ${finishedAt}`));
    const [report, evaluations] = [read?.value ?? null, experiment?.evaluations ?? []];
    const page: ExperimentProps = {
      store: store.root,
      entry,
      told: now,
      config: (await orProblem(readDocument(files.config, z.unknown()))).value,
      report,
      chart: report !== null || evaluations.length === 0 ? null : await accuracyChartOf(evaluations),
      problem: experiment?.problem ?? read?.problem ?? null,
    };
    return shown(experimentPage(page));
  }

  async function ofStudy(name: string, file: string | undefined): Promise<Answer> {
    const { report: page, folder } = studyFiles(store, name);
    if (file !== undefined) return storedFile(page, 'report', missing);
    const study = (await contents.studies()).find((each) => each.name === name);
    if (study === undefined) return missing(`The study ${name}`);
    const names = (await store.blobs.list(`${folder.name}/`)).flatMap(
      (path) => /^([\w-]+)\.json$/.exec(path.slice(folder.name.length + 1))?.[1] ?? [],
    );
    const tables = await accuracyTables(store, name, names);
    const parts = { tables, hasReport: await isThere(page), told: await live.study(name) };
    return shown(studyPage({ store: store.root, study, entries: await entries(), ...parts }));
  }

  async function ofSeries(name: string, file: string | undefined): Promise<Answer> {
    const page = below(store.series(name), 'report.html');
    if (file !== undefined) return storedFile(page, 'report', missing);
    const series = (await contents.series()).find((each) => each.name === name);
    if (series === undefined) return missing(`The series ${name}`);
    const going = (await entries()).filter(
      (each) => isGoing(each) && each.experiment?.setting?.series === name,
    );
    const chart = await seriesChart(series.nights);
    return shown(seriesPage({ store: store.root, series, chart, hasReport: await isThere(page), going }));
  }

  async function compared(a: string, b: string): Promise<CompareProps['compared']> {
    try {
      const read = (name: string) => readEvaluated(experimentFiles(store, name));
      const [first, second] = await Promise.all([read(a), read(b)]);
      const comparison = compareExperiments(first, second);
      const { last } = comparison;
      return { comparison, differing: last === null ? [] : await differingQuestions(first, second, last) };
    } catch (error) {
      if (error instanceof ColloquyError) return error.message;
      throw error;
    }
  }

  return async ({ pathname, searchParams: query }) => {
    if (pathname === '/style.css') return { status: 200, type: 'style', body: css };
    if (pathname === '/refresh.mjs') return { status: 200, type: 'script', body: script };
    if (pathname === '/') {
      const page = Math.max(1, Math.floor(Number(query.get('page') ?? 1)) || 1);
      const parts = {
        studies: await contents.studies(),
        series: await contents.series(),
        told: await told(),
      };
      const filter = query.get('filter') ?? '';
      return shown(listPage({ store: store.root, entries: await entries(), filter, page, ...parts }));
    }
    if (pathname === '/compare') {
      const finished = (await all(everyFew(1))).filter(({ finishedAt }) => finishedAt !== null);
      const names = finished.map(({ name }) => name).toSorted();
      const [a = '', b = ''] = ['a', 'b'].map((key) => query.get(key) ?? '');
      const result = [a, b].every((name) => names.includes(name)) ? await compared(a, b) : null;
      return shown(comparePage({ store: store.root, names, a, b, compared: result }));
    }
    const [, kind, given = '', file] = inStore.exec(pathname) ?? [];
    const name = decoded(given);
    if (kind === 'studies' && studyNameSchema.safeParse(name).success) return ofStudy(name, file);
    if (kind === 'series' && seriesNameSchema.safeParse(name).success) return ofSeries(name, file);
    if (kind === undefined && experimentNameSchema.safeParse(name).success) return ofExperiment(name, file);
    return missing('A page of this address');
  };
}

function shown(page: VNode): Answer {
  return { status: 200, type: 'page', body: rendered(page) };
}

function notice(status: number, title: string, says: string, store: Store): Answer {
  return { status, type: 'page', body: rendered(noticePage({ store: store.root, title, says })) };
}

async function storedFile(
  place: Place,
  type: 'report' | 'debates',
  missing: (what: string) => Answer,
): Promise<Answer> {
  if (!(await isThere(place))) return missing(place.name);
  return { status: 200, type, body: place.blobs.stream(place.name) };
}

async function reportOf(store: Store, name: string): Promise<NonNullable<ExperimentProps['report']>> {
  const data = await loadReportData(experimentFiles(store, name));
  return { data, ...(await experimentCharts(data)) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

/** Makes a value once for all who ask for its key, and forgets all but the last few keys. */
function lastFew<Value>(
  most: number,
  make: (key: string) => Promise<Value>,
): (key: string) => Promise<Value> {
  const kept = new Map<string, Promise<Value>>();
  return (key) => {
    const value = kept.get(key) ?? make(key);
    kept.delete(key);
    kept.set(key, value);
    const [oldest] = kept.keys();
    if (kept.size > most && oldest !== undefined) kept.delete(oldest);
    value.catch(() => kept.delete(key));
    return value;
  };
}

/** A key that is another one after some seconds. */
const everyFew = (seconds: number): string => String(Math.floor(Date.now() / 1_000 / seconds));
