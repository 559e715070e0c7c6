/** Which questions of an equality need the compute engine, and how is it asked? They are data, so that comparing is pure. The engine runs in a thread of its own, which can be ended. */
import { Worker } from 'node:worker_threads';
import { ColloquyError, exitCodes } from '../errors.ts';

/** A question for the compute engine: are two expressions equal, or do they differ only by a constant factor? */
export interface EngineQuestion {
  readonly relation: 'equal' | 'proportional' | 'positively proportional';
  readonly a: string;
  readonly b: string;
}

/** Known, or one question for the engine, or all or any of several equalities, or a one-to-one pairing of rows with columns. */
export type Equality =
  | boolean
  | { readonly ask: EngineQuestion }
  | { readonly all: readonly Equality[] }
  | { readonly any: readonly Equality[] }
  | { readonly pairing: readonly (readonly Equality[])[] };

/** True when all `parts` are. One that is known to be false decides. */
export function allOf(parts: readonly Equality[]): Equality {
  if (parts.includes(false)) return false;
  const open = parts.filter((part) => part !== true);
  return open.length === 0 ? true : open.length === 1 ? (open[0] ?? true) : { all: open };
}

/** True when at least one of `parts` is. One that is known to be true decides. */
export function anyOf(parts: readonly Equality[]): Equality {
  if (parts.includes(true)) return true;
  const open = parts.filter((part) => part !== false);
  return open.length === 0 ? false : open.length === 1 ? (open[0] ?? false) : { any: open };
}

/** Decides an equality with as few questions to the engine as possible. Returns a promise only when the engine is needed. */
export function settle(
  equality: Equality,
  ask: (question: EngineQuestion) => Promise<boolean>,
): boolean | Promise<boolean> {
  if (typeof equality === 'boolean') return equality;
  return resolve(equality, ask);
}

async function resolve(
  equality: Equality,
  ask: (question: EngineQuestion) => Promise<boolean>,
): Promise<boolean> {
  if (typeof equality === 'boolean') return equality;
  if ('ask' in equality) return ask(equality.ask);
  if ('all' in equality) {
    for (const part of equality.all) if (!(await resolve(part, ask))) return false;
    return true;
  }
  if ('any' in equality) {
    for (const part of equality.any) if (await resolve(part, ask)) return true;
    return false;
  }
  return pair(equality.pairing, ask);
}

/** Pairs each row with the first free column that is equal. For an equivalence relation the choice of the column does not matter. */
async function pair(
  table: readonly (readonly Equality[])[],
  ask: (question: EngineQuestion) => Promise<boolean>,
): Promise<boolean> {
  const taken = new Set<number>();
  for (const row of table) {
    let found = row.findIndex((cell, column) => cell === true && !taken.has(column));
    for (let column = 0; found < 0 && column < row.length; column++) {
      const cell = row[column] ?? false;
      if (!taken.has(column) && cell !== false && (await resolve(cell, ask))) found = column;
    }
    if (found < 0) return false;
    taken.add(found);
  }
  return true;
}

/** The thread with the compute engine ended before it was ready; `@cortex-js/compute-engine` may not be installed. */
export class GraderEngineUnavailable extends ColloquyError {
  override name = 'GraderEngineUnavailable' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  constructor(cause: unknown) {
    super(
      `The compute engine of the grader did not start (${String(cause)}). Install the npm packages again (in a clone: npm run setup).`,
      { cause },
    );
  }
}

/** The engine's reply. `milliseconds` is its time for this question, without the time that the question waited for others. */
export interface EngineReply {
  readonly equal: boolean;
  readonly milliseconds: number;
  readonly killed: boolean;
}

/** An engine in a thread, which starts with the first question and answers one question at a time. */
export interface EngineThread {
  /**
   * Asks a question. The engine is ended when it takes longer than `limitMs`, without the time that the question waits.
   *
   * @throws GraderEngineUnavailable, also when the thread was closed
   */
  ask(question: EngineQuestion, limitMs: number): Promise<EngineReply>;
  close(): Promise<void>;
}

interface Waiting {
  readonly question: EngineQuestion;
  readonly limitMs: number;
  readonly resolve: (reply: EngineReply) => void;
  readonly reject: (error: Error) => void;
}

interface Thinking {
  readonly waiting: Waiting;
  readonly started: number;
  readonly cpu: NodeJS.CpuUsage;
  timer: NodeJS.Timeout | undefined;
}

/** The greatest factor by which a busy machine extends a time limit. */
const MOST_EXTENSION = 8;

/** Makes an engine thread, which does not start yet. A question that takes too long or too much memory ends the thread; a new one starts. */
export function createEngineThread(): EngineThread {
  const queue: Waiting[] = [];
  let worker: Worker | null = null;
  let ready = false;
  let closed = false;
  let current: Thinking | null = null;
  let ending: Promise<unknown> = Promise.resolve();

  return {
    ask(question, limitMs) {
      if (closed) return Promise.reject(new GraderEngineUnavailable('the grader was closed'));
      return new Promise((resolve, reject) => {
        queue.push({ question, limitMs, resolve, reject });
        next();
      });
    },
    async close() {
      closed = true;
      const unavailable = new GraderEngineUnavailable('the grader was closed');
      clearTimeout(current?.timer);
      current?.waiting.reject(unavailable);
      current = null;
      for (const waiting of queue.splice(0)) waiting.reject(unavailable);
      end();
      await ending;
    },
  };

  function next(): void {
    if (closed || current !== null || queue.length === 0) return;
    if (worker === null) start();
    worker?.ref();
    const waiting = ready ? queue.shift() : undefined;
    if (waiting === undefined) return;
    current = { waiting, started: performance.now(), cpu: process.cpuUsage(), timer: undefined };
    watch(waiting.limitMs);
    worker?.postMessage(waiting.question);
  }

  /** On a busy machine the engine may get little CPU time. Then it gets more time, up to MOST_EXTENSION times the limit. */
  function watch(ms: number): void {
    if (current === null) return;
    current.timer = setTimeout(() => {
      if (current === null) return;
      const { started, cpu, waiting } = current;
      const used = process.cpuUsage(cpu);
      const missing = waiting.limitMs - (used.user + used.system) / 1000;
      const left = waiting.limitMs * MOST_EXTENSION - (performance.now() - started);
      if (missing > 1 && left > 1) watch(Math.min(missing, left));
      else finish({ equal: false, killed: true });
    }, ms);
  }

  function finish(outcome: { equal: boolean; killed: boolean }): void {
    if (current === null) return;
    const { waiting, started, timer } = current;
    clearTimeout(timer);
    current = null;
    if (outcome.killed) {
      end();
      if (!closed) start();
    }
    if (queue.length === 0) worker?.unref();
    waiting.resolve({ ...outcome, milliseconds: performance.now() - started });
    next();
  }

  function start(): void {
    const thread = new Worker(new URL('./engine-worker.mjs', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: 512, stackSizeMb: 4 },
      execArgv: [],
    });
    worker = thread;
    ready = false;
    let failure: unknown = 'it left';
    thread.on('message', (message: 'ready' | { readonly equal: boolean }) => {
      if (thread !== worker) return;
      if (message === 'ready') {
        ready = true;
        next();
      } else {
        finish({ equal: message.equal, killed: false });
      }
    });
    thread.on('error', (error) => (failure = error));
    thread.on('exit', () => {
      if (thread !== worker) return;
      const started = ready;
      [worker, ready] = [null, false];
      if (started) {
        finish({ equal: false, killed: true });
        return;
      }
      for (const waiting of queue.splice(0)) waiting.reject(new GraderEngineUnavailable(failure));
    });
  }

  function end(): void {
    const thread = worker;
    [worker, ready] = [null, false];
    if (thread !== null) ending = Promise.all([ending, thread.terminate()]);
  }
}
