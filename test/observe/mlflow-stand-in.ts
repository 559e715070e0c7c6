/** A small server that keeps runs as MLflow 3.17 does: it makes one for each request, and a point with another time or value is another point. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

type Given = Record<string, unknown>;
type Metric = {
  readonly key: string;
  readonly value: number;
  readonly step: number;
  readonly timestamp: number;
};
type Run = {
  readonly info: { readonly run_id: string; status: string; lifecycle_stage: string };
  readonly tags: readonly { readonly key: string; readonly value: string }[];
  readonly params: Map<string, string>;
  readonly metrics: Map<string, Metric>;
};

export type StandIn = { readonly url: string; readonly close: () => void };

/**
 * The first call with settings of the experiment `refused` is refused, as another worker has sent half of them at the same moment.
 * Each call with settings of the experiment `full` is refused when the server has taken one of them, and it takes no more than ten.
 * Four searches for the runs of the experiment `at-once` are answered together: none of the workers sees a run of another.
 */
export async function startMlflowStandIn(): Promise<StandIn> {
  const together = 4;
  const runs: Run[] = [];
  let experiment = false;
  const waiting: (() => void)[] = [];

  const shown = ({ info, tags, params, metrics }: Run): Given => ({
    info,
    data: {
      tags,
      params: [...params].map(([key, value]) => ({ key, value })),
      metrics: [...new Map([...metrics.values()].map((metric) => [metric.key, metric])).values()],
    },
  });
  const answers: Record<string, (given: Given, run: Run | undefined) => Given | string | null> = {
    'experiments/get-by-name': () =>
      experiment ? { experiment: { experiment_id: '1', creation_time: 1764000000000 } } : null,
    'experiments/create': () => ((experiment = true), { experiment_id: '1' }),
    'runs/create': ({ tags }) => {
      const made: Run = {
        info: {
          run_id: String(1000 - runs.length),
          status: 'RUNNING',
          lifecycle_stage: 'active',
        },
        tags: tags as Run['tags'],
        params: new Map(),
        metrics: new Map(),
      };
      runs.push(made);
      return { run: shown(made) };
    },
    'runs/search': ({ filter }) => {
      const [, key, value] = /tags\."(.*)" = '(.*)'/.exec(String(filter)) ?? [];
      const found = runs.filter(
        ({ info, tags }) =>
          info.lifecycle_stage === 'active' && tags.some((tag) => tag.key === key && tag.value === value),
      );
      return { runs: found.toSorted((a, b) => a.info.run_id.localeCompare(b.info.run_id)).map(shown) };
    },
    'runs/get': (_, run) => (run === undefined ? null : { run: shown(run) }),
    'runs/update': ({ status }, run) => (run && (run.info.status = String(status)), {}),
    'runs/delete': (_, run) => {
      if (run?.info.lifecycle_stage !== 'active') return null;
      run.info.lifecycle_stage = 'deleted';
      return {};
    },
    'runs/log-batch': ({ metrics = [], params = [] }, run) => {
      if (run?.info.lifecycle_stage !== 'active') return null;
      const settings = params as { key: string; value: string }[];
      if (settings.length > 0 && run.params.size === 0 && run.tags.some(({ value }) => value === 'refused')) {
        for (const { key, value } of settings.slice(settings.length / 2)) run.params.set(key, value);
        return 'UNIQUE constraint failed: params.key, params.run_uuid';
      }
      if (settings.length > 0 && run.tags.some(({ value }) => value === 'full')) {
        const [{ key, value }] = settings as [{ key: string; value: string }];
        if (run.params.size < 10) run.params.set(key, value);
        return 'the disk is full';
      }
      for (const metric of metrics as Metric[]) run.metrics.set(JSON.stringify(metric), metric);
      for (const { key, value } of settings) run.params.set(key, value);
      return {};
    },
    'metrics/get-history': ({ metric_key }, run) => ({
      metrics: [...(run?.metrics.values() ?? [])].filter(({ key }) => key === metric_key),
    }),
  };

  const server = createServer((request, response) => {
    void (async () => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      const url = new URL(request.url ?? '', 'http://here');
      const path = url.pathname.replace('/api/2.0/mlflow/', '');
      const given = body === '' ? Object.fromEntries(url.searchParams) : (JSON.parse(body) as Given);
      const run = runs.find(({ info }) => info.run_id === given['run_id']);
      const answer = answers[path]?.(given, run) ?? null;
      if (String(given['filter']).includes("'at-once-") && waiting.length < together)
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
          if (waiting.length === together) for (const go of waiting) go();
        });
      const refused =
        answer === null ? 'RESOURCE_DOES_NOT_EXIST' : typeof answer === 'string' ? answer : null;
      response.writeHead(answer === null ? 404 : refused === null ? 200 : 400, {
        'content-type': 'application/json',
      });
      response.end(
        JSON.stringify(refused === null ? answer : { error_code: 'BAD_REQUEST', message: refused }),
      );
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => void server.close(),
  };
}
