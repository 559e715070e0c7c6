/**
 * The supervised embedded engine (engine/serve.py): started when first needed, its health watched, started again when it
 * dies. One for each base model.
 */
import { request } from 'node:http';
import { join } from 'node:path';
import { z } from 'zod';
import { serverReadySchema, serverRefusesSchema } from '../../config/server-contract.ts';
import { projectRoot, tools } from '../../config/installation.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { emit } from '../../observe/events.ts';
import { requireEmbeddedMemory } from '../vllm/needs.ts';
import { logFileFor, parsedLine, readLines } from './log-file.ts';
import { type ProcessGroup, startProcessGroup } from './process-group.ts';
import { howItEnded, type Running, supervise, type Supervisor } from './supervisor.ts';

/** A supervised server that answers for a base model: engine/serve.py, or vLLM. Its `ready` also throws ToolsMissing and ProcessNotStarted. */
export type EngineProcess = Supervisor<Serving> & {
  /** Frees its memory for another model: it sleeps, so that it is ready again sooner, or it ends. */
  readonly rest?: () => Promise<void>;
};
export type RunningEngine = Running<Serving>;
export type Serving = {
  /** `http://127.0.0.1:PORT/v1` */
  readonly url: string;
  /** What one more process with the model would take. Bytes; null or undefined where one process uses all of the machine. */
  readonly memory?: number | null | undefined;
  /** How many adapters may be loaded at once; undefined where that is not limited. */
  readonly adapters?: () => number;
};

export interface EngineProcessOptions {
  /** A folder (see `resolveModel`) or a hub id. */
  readonly model: string;
  /** The name that requests call the base model by. */
  readonly servedModelName: string;
  readonly logFolder: string;
  /** The program and its first arguments: by default the product's Python and engine/serve.py. */
  readonly command?: readonly [string, ...string[]];
  /** More arguments: `--max-batch-size`, `--threads`, … */
  readonly args?: readonly string[];
  /** How long loading the model may take. Milliseconds; 30 minutes by default, as it may have to be downloaded. */
  readonly startTimeoutMs?: number;
  /** Between two requests for /health; 3 without an answer end the process. Milliseconds; 20 s by default. */
  readonly healthEveryMs?: number;
  /** Between SIGTERM and SIGKILL. Milliseconds; 5 s by default. */
  readonly graceMs?: number;
}

/** A supervised engine, not started yet. Its `ready` throws ModelNotServable too. */
export function createEngineProcess(options: EngineProcessOptions): EngineProcess {
  const { servedModelName } = options;
  let starts = 0;
  return supervise<Serving>({
    name: options.model,
    graceMs: options.graceMs ?? 5_000,
    async start() {
      await requireEmbeddedMemory(options.model);
      const logFile = await logFileFor(options.logFolder, 'engine', options.model);
      const [program, ...first] = options.command ?? [
        tools().python,
        join(projectRoot, 'engine', 'serve.py'),
      ];
      return startProcessGroup(program, [...first, ...serveArgs(options)], { logFile, cwd: projectRoot });
    },
    async untilReady(group) {
      const said = await firstWord(group, options.startTimeoutMs ?? longestStartMs);
      if (said?.event === 'refuses') throw new ModelNotServable(options.model, said.message);
      if (said === undefined) return undefined;
      emit('engine started', { model: servedModelName, pid: group.pid, starts: (starts += 1) });
      const url = `http://127.0.0.1:${said.port}`;
      const everyMs = options.healthEveryMs ?? healthEveryMs;
      watchHealth(group, () => answers(`${url}/health`, everyMs), everyMs);
      return { url: `${url}/v1`, memory: said.memory };
    },
    onDeath: ({ status }) => emit('engine died', { model: servedModelName, how: howItEnded(status) }),
  });
}

/** A model may have to be downloaded first. */
export const longestStartMs = 1_800_000;
export const healthEveryMs = 20_000;

function serveArgs({ model, servedModelName, args = [] }: EngineProcessOptions): string[] {
  return [
    '--model',
    model,
    '--served-model-name',
    servedModelName,
    '--port',
    '0',
    '--exit-with-parent',
    ...args,
  ];
}

/** Undefined when the process ends, or prints no such line in time. Libraries may print other lines first. */
async function firstWord(group: ProcessGroup, timeoutMs: number): Promise<FirstWord | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), timeoutMs);
    const settle = (word: FirstWord | undefined): void => {
      clearTimeout(timer);
      resolve(word);
    };
    void group.exited.then(() => settle(undefined));
    readLines(group.stdout, (line) => {
      const word = parsedLine(line, firstWordSchema);
      if (word !== undefined) settle(word);
    });
  });
}

const firstWordSchema = z.discriminatedUnion('event', [serverReadySchema, serverRefusesSchema]);
type FirstWord = z.infer<typeof firstWordSchema>;

/**
 * A server that runs but no longer answers is killed, so that it is started again.
 *
 * @param isWell asks it; 3 questions in a row without a good answer end the process
 * @param everyMs between two questions, in milliseconds
 */
export function watchHealth(group: ProcessGroup, isWell: () => Promise<boolean>, everyMs: number): void {
  let silent = 0;
  const timer = setInterval(() => {
    silent += 1;
    if (silent > 3) void group.stop(0);
    void isWell().then((well) => {
      if (well) silent = 0;
    });
  }, everyMs);
  timer.unref();
  void group.exited.then(() => clearInterval(timer));
}

/** Whether anything answers in time. Never rejects. */
function answers(url: string, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request(url, { timeout: timeoutMs, agent: false });
    asked.once('response', (response) => {
      response.resume();
      resolve(true);
    });
    asked.once('timeout', () => asked.destroy());
    asked.once('error', () => resolve(false));
    asked.end();
  });
}

/** The embedded engine cannot serve a model: its files are damaged, or it is of a family that the engine cannot run exactly. */
export class ModelNotServable extends ColloquyError {
  override name = 'ModelNotServable' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.badUsage;
  readonly model: string;

  /** @param words the engine's own sentences, which name the model */
  constructor(model: string, words: string) {
    super(words);
    this.model = model;
  }
}
