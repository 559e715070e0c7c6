/**
 * The supervised embedded engine (engine/serve.py): started when first needed, its health watched, started again when it
 * dies. One for each base model.
 */
import { request } from 'node:http';
import { join } from 'node:path';
import { z } from 'zod';
import { serverReadySchema, serverRefusesSchema } from '../../config/contract.ts';
import { projectRoot, tools } from '../../config/installation.ts';
import { emit } from '../../observe/events.ts';
import { abortable, pause } from '../abort.ts';
import { EngineClosed } from '../errors.ts';
import { EngineDied, howItEnded, ModelNotServable } from './errors.ts';
import { lastLogLines, logFileFor, parsedLine, readLines, sizeOf } from './log-file.ts';
import { type ProcessGroup, startProcessGroup } from './process-group.ts';

export interface EngineProcess {
  /**
   * The running engine; starts it when there is none.
   *
   * @throws EngineDied when it died 3 times without answering between; ModelNotServable; ToolsMissing; ProcessNotStarted; EngineClosed;
   *   the signal's reason
   */
  ready(signal: AbortSignal): Promise<RunningEngine>;
  /**
   * Ends the process, which frees its memory: SIGTERM, grace, SIGKILL. Resolves when nothing of it is left. The next `ready` starts
   * another one.
   *
   * @param running ends nothing when another process has taken its place already
   */
  end(running?: RunningEngine): Promise<void>;
  /** Ends the process for good. */
  close(): Promise<void>;
}

export interface RunningEngine {
  /** `http://127.0.0.1:PORT/v1` */
  readonly url: string;
  readonly pid: number;
  /** Settles when this process has ended, with an error that says how. Never rejects. */
  readonly ended: Promise<EngineDied>;
  /** To be called after each answer: an engine that answers does not die again and again. */
  answered(): void;
}

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

/** A supervised engine, not started yet. */
export function createEngineProcess(options: EngineProcessOptions): EngineProcess {
  const closing = new AbortController();
  const graceMs = options.graceMs ?? 5_000;
  let current: (Slot & { readonly engine: Promise<RunningEngine> }) | undefined;
  /** Deaths since the last answer. */
  let deaths = 0;
  let starts = 0;

  async function start(slot: Slot): Promise<RunningEngine> {
    if (deaths > 0) await pause(Math.min(500 * 2 ** (deaths - 1), 10_000), closing.signal);
    const logFile = await logFileFor(options.logFolder, 'engine', options.model);
    const logStart = sizeOf(logFile);
    const [program, ...first] = options.command ?? [tools().python, join(projectRoot, 'engine', 'serve.py')];
    const group = await startProcessGroup(program, [...first, ...serveArgs(options)], {
      logFile,
      cwd: projectRoot,
    });
    slot.group = group;
    if (slot.ending || closing.signal.aborted) {
      await group.stop(graceMs);
      throw new EngineClosed(options.model);
    }
    const ended = group.exited.then((status) => {
      if (!slot.ending) deaths += 1;
      if (!slot.ending) emit('engine died', { model: options.servedModelName, how: howItEnded(status) });
      return new EngineDied(options.model, status, logFile, lastLogLines(logFile, logStart));
    });
    const said = await firstWord(group, options.startTimeoutMs ?? 1_800_000);
    if (said?.event !== 'ready') {
      await group.stop(graceMs);
      const died = await ended;
      throw said === undefined ? died : new ModelNotServable(options.model, said.message);
    }
    const { port } = said;
    emit('engine started', { model: options.servedModelName, pid: group.pid, starts: (starts += 1) });
    watchHealth(group, port, options.healthEveryMs ?? 20_000);
    return {
      url: `http://127.0.0.1:${port}/v1`,
      pid: group.pid,
      ended,
      answered: () => (deaths = 0),
    };
  }

  function startNew(): Promise<RunningEngine> {
    const slot: Slot = { ending: false };
    const engine = start(slot);
    const started = Object.assign(slot, { engine });
    current = started;
    const forget = (): void => {
      if (current === started) current = undefined;
    };
    engine.then(({ ended }) => void ended.then(forget), forget);
    return engine;
  }

  async function end(): Promise<void> {
    if (current === undefined) return;
    const { engine, group } = current;
    current.ending = true;
    current = undefined;
    await group?.stop(graceMs);
    await engine.then(
      ({ ended }) => ended,
      () => undefined,
    );
  }

  return {
    async ready(signal) {
      for (;;) {
        if (closing.signal.aborted) throw new EngineClosed(options.model);
        try {
          return await abortable(current?.engine ?? startNew(), signal);
        } catch (error) {
          if (!(error instanceof EngineDied) || signal.aborted) throw error;
          if (deaths < deathsInARow) continue;
          // Later the cause may have been removed: then there are three more tries.
          deaths = 0;
          throw error;
        }
      }
    },
    async end(running) {
      if (running !== undefined && (await current?.engine.catch(() => undefined)) !== running) return;
      await end();
    },
    async close() {
      closing.abort(new EngineClosed(options.model));
      await end();
    },
  };
}

/** One start of the program. */
type Slot = {
  group?: ProcessGroup;
  /** Whether it was asked to end: its end is then not a failure. */
  ending: boolean;
};

const deathsInARow = 3;

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

/** An engine that runs but no longer answers is killed, so that it is started again. */
function watchHealth(group: ProcessGroup, port: number, everyMs: number): void {
  let silent = 0;
  const timer = setInterval(() => {
    const check = request({ port, host: '127.0.0.1', path: '/health', timeout: everyMs, agent: false });
    silent += 1;
    if (silent > 3) void group.stop(0);
    check.once('response', (response) => {
      silent = 0;
      response.resume();
    });
    check.once('timeout', () => check.destroy());
    check.once('error', () => undefined);
    check.end();
  }, everyMs);
  timer.unref();
  void group.exited.then(() => clearInterval(timer));
}
