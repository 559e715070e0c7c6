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

/** Four searches for the runs of the experiment `at-once` are answered together: none of the workers sees a run of another. */
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
  const answers: Record<string, (given: Given, run: Run | undefined) => Given | null> = {
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
      for (const metric of metrics as Metric[]) run.metrics.set(JSON.stringify(metric), metric);
      for (const { key, value } of params as { key: string; value: string }[]) run.params.set(key, value);
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
      response.writeHead(answer === null ? 404 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer ?? { error_code: 'RESOURCE_DOES_NOT_EXIST' }));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => void server.close(),
  };
}
