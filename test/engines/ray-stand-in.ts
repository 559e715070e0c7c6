/** A stand-in for the Jobs API of Ray 2.60: it answers as a real one does (npm run test:ray), and its jobs do what a test has them do. */
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { z } from 'zod';

const submissionSchema = z.object({
  submission_id: z.string(),
  entrypoint: z.string(),
  metadata: z.record(z.string(), z.string()),
  runtime_env: z.object({ env_vars: z.record(z.string(), z.string()) }),
});

export type StandInJob = z.infer<typeof submissionSchema> & {
  status: string;
  message?: string;
  driver_exit_code?: number | null;
};

export interface RayStandIn {
  readonly url: string;
  readonly jobs: Map<string, StandInJob>;
  readonly stops: string[];
  /** The nodes' resources. */
  nodes: Record<string, number>[];
  /** Called with each job that begins, and with the folder that it works in. */
  onJob: (job: StandInJob, write: (file: string, text: string) => void) => void;
  /** Called with a job that is asked to stop. */
  onStop: (job: StandInJob) => void;
  /** Answers in place of Ray when it returns true. */
  instead: (request: IncomingMessage, answer: ServerResponse) => boolean;
  /** A submission is accepted, and its answer is lost. */
  losesAnswers: boolean;
  close(): Promise<void>;
}

export async function rayStandIn(): Promise<RayStandIn> {
  const server = createServer((request, answer) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += String(chunk)));
    request.on('end', () => {
      if (!ray.instead(request, answer)) respond(request, answer, text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const ray: RayStandIn = {
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    jobs: new Map(),
    stops: [],
    nodes: [{ CPU: 4 }],
    onJob: () => undefined,
    onStop: (job) => (job.status = 'STOPPED'),
    instead: () => false,
    losesAnswers: false,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };

  function respond(request: IncomingMessage, answer: ServerResponse, text: string): void {
    const [path = ''] = (request.url ?? '').split('?');
    const [, id = '', stop] = /^\/api\/jobs\/([^/]+)(\/stop)?$/.exec(path) ?? [];
    const say = (status: number, body: unknown): void =>
      void answer.writeHead(status).end(JSON.stringify(body));
    if (path === '/api/v0/nodes') {
      const nodes = ray.nodes.map((resources_total) => ({ state: 'ALIVE', resources_total }));
      return say(200, { result: true, data: { result: { result: nodes } } });
    }
    if (request.method === 'POST' && path === '/api/jobs/') {
      const job = { ...submissionSchema.parse(JSON.parse(text)), status: 'RUNNING' };
      // Ray wraps its own 400 into a 500.
      if (ray.jobs.has(job.submission_id))
        return void answer.writeHead(500).end('Request failed with status code 400: already exists');
      ray.jobs.set(job.submission_id, job);
      const folder = unquoted(/^folder=(.*?); python=/.exec(job.entrypoint)?.[1] ?? '');
      ray.onJob(job, (file, content) => writeFileSync(join(folder, file), content));
      if (ray.losesAnswers) return void request.socket.destroy();
      return say(200, { job_id: job.submission_id, submission_id: job.submission_id });
    }
    const job = ray.jobs.get(id);
    if (job === undefined) return void answer.writeHead(404).end(`Job ${id} does not exist`);
    if (stop === undefined) return say(200, job);
    ray.stops.push(id);
    ray.onStop(job);
    return say(200, { stopped: true });
  }

  return ray;
}

/** A word of the shell without its quotes. */
function unquoted(word: string): string {
  return word.startsWith("'") ? word.slice(1, -1).replaceAll(String.raw`'\''`, "'") : word;
}
