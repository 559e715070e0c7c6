import { Worker } from 'node:worker_threads';
import type { EngineQuestion } from './verdict.ts';

/** The thread with the compute engine ended before it was ready; `@cortex-js/compute-engine` may not be installed. */
export class GraderEngineUnavailable extends Error {
  override name = 'GraderEngineUnavailable' as const;
  constructor(cause: unknown) {
    super(
      `The compute engine of the grader did not start (${String(cause)}). Run \`npm run setup\` to install it.`,
      { cause },
    );
  }
}

/** The engine's reply. `milliseconds` is how long it thought, without the time that the question waited for others. */
export interface EngineReply {
  readonly equal: boolean;
  readonly milliseconds: number;
  readonly killed: boolean;
}

/** One engine in one thread, which starts with the first question and answers one question at a time. */
export interface EngineThread {
  /** Rejects with GraderEngineUnavailable, or when the thread was closed. `limitMs` begins when the engine begins to think. */
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

const STARVED = 8;

/** Starts nothing yet. A question that takes too long, or too much memory, ends the thread; the next one starts another. */
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

  /** On a busy machine the engine may get little of the processor: then it is given more time, up to STARVED times the limit. */
  function watch(ms: number): void {
    if (current === null) return;
    current.timer = setTimeout(() => {
      if (current === null) return;
      const { started, cpu, waiting } = current;
      const used = process.cpuUsage(cpu);
      const missing = waiting.limitMs - (used.user + used.system) / 1000;
      const left = waiting.limitMs * STARVED - (performance.now() - started);
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
