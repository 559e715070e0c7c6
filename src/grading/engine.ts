/** How is the compute engine asked, and which expressions may it read? It runs in a thread of its own, which can be ended. */
import { Worker } from 'node:worker_threads';
import { ColloquyError, exitCodes } from '../errors.ts';
import type { EngineQuestion } from './equality.ts';
import { isMatrixProduct } from './formula.ts';
import { hasWord } from './plain-words.ts';

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

/** The longest expression for the compute engine, in characters. Its parser gets slow quickly (0.2 s for 3,000 letters). */
const LONGEST_EXPRESSION = 300;

/** The deepest nesting of brackets and the greatest number of functions: minus signs or logarithms nested 14 deep take seconds. */
const DEEPEST_BRACKETS = 10;
const MOST_FUNCTIONS = 10;

/**
 * Whether the compute engine may read an expression. Refused are texts that are not plain expressions (words, lists, relations,
 * decorations), expressions that the engine is known to read wrongly, and those that it cannot compute in bounded time: its own time
 * limit stops neither its parser nor powers of big integers.
 */
export function engineMayRead(text: string): boolean {
  return (
    text.length <= LONGEST_EXPRESSION &&
    /^[\x20-\x7e]+$/.test(text) &&
    !/[=<>:;?"'`#@&%$~,]/.test(text) &&
    !/\{\}|[\^_]$|\^\{?[-+*]\}?(?!\d|\w|\\|\()/.test(text) &&
    !hasWord(text) &&
    onlyKnownCommands(text) &&
    !isMatrixProduct(text) &&
    !/(?:^|[^a-zA-Z])[0-9)]+_/.test(text) &&
    !/\d{40}/.test(text) &&
    !AMBIGUOUS.test(text) &&
    !LETTER_BEFORE_DIGIT.test(text) &&
    boundedNesting(text) &&
    boundedBars(text) &&
    boundedFactorials(text) &&
    boundedPowers(text)
  );
}

/** People read `1/2x` in both ways; the engine reads `1 2/3` as 12/3. */
const AMBIGUOUS = /\/ ?(?:\d+|[a-zA-Z]) ?(?:[a-zA-Z]|\\(?!cdot|times)|\()|\d \d/;

/** `CO2` and `C2O` are no products, and `x2` may be a product, a power or a name. */
const LETTER_BEFORE_DIGIT = /(?<![a-zA-Z\\])[a-zA-Z]{1,2}\d/;

const KNOWN = new Set(
  (
    'frac sqrt pi cdot times sin cos tan cot sec csc sinh cosh tanh arcsin arccos arctan ln log exp circ binom ' +
    'alpha beta gamma delta epsilon zeta eta theta kappa lambda mu nu xi rho sigma tau phi chi psi omega Delta Omega Theta Phi Lambda Sigma mathbf'
  ).split(' '),
);

function onlyKnownCommands(text: string): boolean {
  return [...text.matchAll(/\\([a-zA-Z]+|.)/g)].every((match) => KNOWN.has(match[1] ?? ''));
}

function boundedNesting(text: string): boolean {
  const functions = text.match(/\\(?:sin|cos|tan|cot|sec|csc|arc|ln|log|exp|binom)|[a-zA-Z]\(/g)?.length ?? 0;
  if (functions > MOST_FUNCTIONS) return false;
  const closers: string[] = [];
  for (const char of text) {
    const at = '([{'.indexOf(char);
    if (at >= 0) closers.push(')]}'.charAt(at));
    else if (')]}'.includes(char) && closers.pop() !== char) return false;
    if (closers.length > DEEPEST_BRACKETS) return false;
  }
  return closers.length === 0;
}

/** An opening bar looks like a closing one, so the parser tries every way to pair bars. */
function boundedBars(text: string): boolean {
  const bars = text.split('|').length - 1;
  return bars % 2 === 0 && bars <= 6 && !text.includes('||');
}

function boundedFactorials(text: string): boolean {
  if (/\\binom/.test(text)) return !/\d{4}/.test(text);
  return !text.includes('!') || !/\d{4,}!|[)}\]|]\s*!|!\s*!|\^/.test(text);
}

/** No exponent is within an exponent, and the product of all numeric exponents is at most 10^4. Refuses ((9^{999})^{999})^{999}. */
function boundedPowers(text: string): boolean {
  let product = 1;
  for (const { index } of text.matchAll(/\^/g)) {
    const exponent = exponentAt(text, index + 1);
    if (exponent.includes('^')) return false;
    for (const digits of exponent.match(/\d+(?:\.\d+)?/g) ?? []) product *= Math.max(1, Number(digits));
    if (product > 10_000) return false;
  }
  return true;
}

function exponentAt(text: string, start: number): string {
  if (text.charAt(start) !== '{') return text.charAt(start);
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    if (text.charAt(at) === '{') depth++;
    if (text.charAt(at) === '}' && --depth === 0) return text.slice(start, at);
  }
  return text.slice(start);
}
