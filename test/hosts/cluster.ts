/** A cluster as its users make it: Temporal and an S3 server on hosts of their own, workers that share no disk with them or each other. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot, tools } from '../../src/config/installation.ts';
import { taskQueues } from '../../src/workflows/temporal.ts';
import { keys } from '../s3/keys.ts';
import { tablesOf } from '../support/tables-of.ts';
import { until } from '../support/until.ts';
import { diskPath, type Host, type Network, openNetwork, type Program } from './hosts.ts';

const bucket = 'colloquy';

/** One case: an experiment in a Temporal namespace and a store of its own. */
export type Case = {
  readonly name: string;
  /** Runs `colloquy worker` on the host; resolves when it serves its queues. */
  readonly worker: (host: Host, environment?: Readonly<Record<string, string>>) => Promise<Program>;
  readonly start: (input: object) => Promise<void>;
  /** Its steps that are scheduled or under way. */
  readonly pending: () => Promise<PendingStep[]>;
  /** When it has ended well. @throws Error when it failed, or waits for a person */
  readonly end: () => Promise<void>;
  /** The first attempts and the last ones of all steps, from the histories of all its runs. */
  readonly steps: () => Promise<EndedStep[]>;
  /** How large the histories of its runs are. */
  readonly histories: () => Promise<{ readonly events: number; readonly bytes: number }[]>;
  /** The digests of what it has made. */
  readonly tables: () => Promise<Record<string, string>>;
  /** The names of all files in its store. */
  readonly stored: () => string[];
};

/** `host` has the newest attempt. */
export type PendingStep = {
  readonly id: string;
  readonly attempt: number;
  readonly host: string;
  /** What the step last said of itself. */
  readonly says: Readonly<Record<string, unknown>>;
};
/** `host` made the attempt that ended the step. */
export type EndedStep = { readonly id: string; readonly attempt: number; readonly host: string };

/** A request that the S3 server answered. */
export type S3Request = {
  readonly from: string;
  readonly at: number;
  readonly what: string;
  readonly key: string;
};

export type Cluster = AsyncDisposable & {
  readonly network: Network;
  readonly s3: Host;
  readonly temporal: Host;
  readonly startS3: () => Promise<Program>;
  readonly startTemporal: () => Promise<Program>;
  readonly requests: () => S3Request[];
  readonly case: (name: string) => Promise<Case>;
};

export async function openCluster(versitygw: string): Promise<Cluster> {
  const network = await openNetwork();
  const temporal = await network.host('temporal');
  const s3 = await network.host('s3');
  mkdirSync(join(s3.disk, 'objects', bucket), { recursive: true });
  const s3Url = `http://${s3.address}:7070`;
  const temporalAddress = `${temporal.address}:7233`;
  const cli = (...args: string[]) =>
    temporal.run([tools().temporal, ...args, '--address', '127.0.0.1:7233', '--output', 'json'], plain());

  async function startS3(): Promise<Program> {
    const options = ['--port', ':7070', '--keep-alive', '--quiet', '--health', '/health'];
    const command = [
      versitygw,
      ...options,
      '--access-log',
      join(diskPath, 'access.log'),
      'posix',
      join(diskPath, 'objects'),
    ];
    const server = await s3.spawn(
      command,
      plain({ ROOT_ACCESS_KEY: keys.AWS_ACCESS_KEY_ID, ROOT_SECRET_KEY: keys.AWS_SECRET_ACCESS_KEY }),
    );
    const ask = `import urllib.request; urllib.request.urlopen('http://127.0.0.1:7070/health', timeout=2)`;
    await until('the S3 server answers', () => s3.run(['python3', '-c', ask], plain()).then(yes, no));
    return server;
  }

  async function startTemporal(): Promise<Program> {
    // At the host's address alone, its own parts would not find each other.
    const options = ['--ip', '0.0.0.0', '--port', '7233', '--headless', '--log-level', 'never'];
    const command = [
      tools().temporal,
      'server',
      'start-dev',
      ...options,
      '--db-filename',
      join(diskPath, 'temporal.db'),
    ];
    const server = await temporal.spawn(command, plain());
    await until('Temporal answers', () =>
      cli('operator', 'namespace', 'describe', '-n', 'default').then(yes, no),
    );
    return server;
  }

  return {
    network,
    s3,
    temporal,
    startS3,
    startTemporal,
    requests: () => requestsIn(join(s3.disk, 'access.log')),
    async case(name) {
      await cli('operator', 'namespace', 'create', '-n', name);
      await until('the namespace is there', () => cli('workflow', 'list', '-n', name).then(yes, no));
      const ask = async (...args: string[]) => JSON.parse(await cli(...args, '-n', name)) as unknown;
      const folder = join(s3.disk, 'objects', bucket, name);
      const runs = async () => (await ask('workflow', 'list')) as ListedRun[];
      return {
        name,
        worker: async (host, environment = {}) => {
          const started = await host.spawn(
            [process.execPath, join(projectRoot, 'bin', 'colloquy.mjs'), 'worker', '--quiet'],
            plain({
              ...keys,
              AWS_ENDPOINT_URL_S3: s3Url,
              COLLOQUY_STORE: `s3://${bucket}/${name}`,
              COLLOQUY_LOCAL: join(diskPath, name),
              TEMPORAL_ADDRESS: temporalAddress,
              TEMPORAL_NAMESPACE: name,
              ...environment,
            }),
          );
          await saysThatItWorks(started, host.name);
          return started;
        },
        async start(input) {
          const what = ['--type', 'experiment', '--task-queue', taskQueues.control];
          await ask('workflow', 'start', ...what, '--workflow-id', name, '--input', JSON.stringify(input));
        },
        async pending() {
          // While Temporal starts again it does not answer.
          const told = (await ask('workflow', 'describe', '-w', name).catch(() => ({}))) as Described;
          const status = told.workflowExecutionInfo?.status ?? 'RUNNING';
          if (!/RUNNING|CONTINUED_AS_NEW/.test(status))
            throw new Error(`${name} has ended already: ${status}.`);
          return (told.pendingActivities ?? []).map((each) => ({
            id: each.activityId,
            attempt: each.attempt ?? 1,
            host: hostIn(each.lastWorkerIdentity),
            says: detailsIn(each),
          }));
        },
        async end() {
          const state = async () => {
            const told = (await ask('workflow', 'describe', '-w', name).catch(
              () => null,
            )) as Described | null;
            const status = told?.workflowExecutionInfo?.status?.replace('WORKFLOW_EXECUTION_STATUS_', '');
            const halted = told?.workflowExecutionInfo?.memo?.fields?.['halted']?.data;
            const why = halted === undefined ? 'null' : Buffer.from(halted, 'base64').toString();
            if (why !== 'null') throw new Error(`${name} waits for a person: ${why}`);
            return ['RUNNING', undefined].includes(status) ? undefined : status;
          };
          const ended = await until(`${name} has ended`, state, 900_000);
          if (ended !== 'COMPLETED') throw new Error(`${name} ended as ${ended}.`);
        },
        async steps() {
          const histories = (await runs()).map(({ execution }) =>
            ask('workflow', 'show', '-w', name, '-r', execution.runId),
          );
          return (await Promise.all(histories)).flatMap((each) => stepsIn((each as History).events));
        },
        histories: async () =>
          (await runs()).map(({ historyLength, historySizeBytes }) => ({
            events: Number(historyLength),
            bytes: Number(historySizeBytes),
          })),
        tables: () => tablesOf(join(folder, name)),
        stored: () => readdirSync(folder, { recursive: true, encoding: 'utf8' }),
      };
    },
    [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
  };
}

/** libfaketime's library, which gives a process another time; null when it is not installed. */
export function faketimeLibrary(): string | null {
  const found = spawnSync('find', ['/usr/lib', '-name', 'libfaketimeMT.so.1'], { encoding: 'utf8' });
  return found.stdout?.split('\n')[0] || null;
}

/** Nothing of this process's own environment but what every program needs. */
function plain(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const { PATH = '', HOME = '' } = process.env;
  return { PATH, HOME, ...more };
}

async function saysThatItWorks({ child, ended }: Program, host: string): Promise<void> {
  let text = '';
  await new Promise<void>((resolve, reject) => {
    const hear = (piece: Buffer): void => {
      text += piece.toString();
      if (text.includes('Working for')) resolve();
    };
    child.stderr?.on('data', hear);
    child.stdout?.on('data', hear);
    void ended.then(() => reject(new Error(`The worker on ${host} ended:\n${text}`)));
  });
}

type ListedRun = {
  readonly execution: { readonly runId: string };
  readonly historyLength?: string;
  readonly historySizeBytes?: string;
};
type PendingActivity = {
  readonly activityId: string;
  readonly attempt?: number;
  readonly lastWorkerIdentity?: string;
  readonly heartbeatDetails?: unknown;
};
type Described = {
  readonly workflowExecutionInfo?: {
    readonly status?: string;
    readonly memo?: { readonly fields?: Readonly<Record<string, { readonly data?: string }>> };
  };
  readonly pendingActivities?: readonly PendingActivity[];
};
type Event = {
  readonly eventId: string;
  readonly activityTaskScheduledEventAttributes?: { readonly activityId: string };
  readonly activityTaskStartedEventAttributes?: {
    readonly scheduledEventId: string;
    readonly attempt?: number;
    readonly identity?: string;
  };
};
type History = { readonly events: readonly Event[] };

/** E.g. `h1` of `123@h1`. */
function hostIn(identity = ''): string {
  return identity.split('@')[1] ?? '';
}

function detailsIn({ heartbeatDetails }: PendingActivity): Record<string, unknown> {
  const first = Array.isArray(heartbeatDetails) ? (heartbeatDetails as unknown[])[0] : undefined;
  return typeof first === 'object' && first !== null ? (first as Record<string, unknown>) : {};
}

function stepsIn(events: readonly Event[]): EndedStep[] {
  const ids = new Map(
    events.map((each) => [each.eventId, each.activityTaskScheduledEventAttributes?.activityId ?? '']),
  );
  return events.flatMap(({ activityTaskStartedEventAttributes: started }) =>
    started === undefined
      ? []
      : [
          {
            id: ids.get(started.scheduledEventId) ?? '',
            attempt: started.attempt ?? 1,
            host: hostIn(started.identity),
          },
        ],
  );
}

function requestsIn(log: string): S3Request[] {
  const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n') : [];
  return lines.flatMap((line) => {
    const found = /\[(?<time>[^\]]+)\] (?<from>\S+) \S+ \S+ s3_(?<what>\S+) (?<key>\S+)/.exec(line)?.groups;
    if (found === undefined) return [];
    const { time = '', from = '', what = '', key = '' } = found;
    return [{ from, at: timeOf(time), what, key }];
  });
}

/** Of `29/November/2026:13:00:00 +0000`. */
function timeOf(text: string): number {
  const [, day, month, year, time] = /^(\d+)\/(\w+)\/(\d+):(\S+)/.exec(text) ?? [];
  return Date.parse(`${day} ${month} ${year} ${time} UTC`);
}

const yes = (): true => true;
const no = (): false => false;
