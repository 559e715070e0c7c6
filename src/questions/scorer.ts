/** Is an answer right, by a program of the user's own? It reads JSON lines and writes one for each. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import type { Gold } from '../algorithm/answer.ts';
import { childEnvironment } from '../config/installation.ts';
import { loadWorkerFile, type WorkerFile } from '../config/load.ts';
import { ScorerEnded, ScorerReplyUnreadable, ScorerTooSlow } from './errors.ts';

/**
 * A scorer as the worker's file defines it. A task only names one: a command is never part of an experiment, otherwise anyone who may start a
 * workflow could run any program on every worker.
 */
const scorerConfigSchema = z.strictObject({
  /** The program and its arguments; no shell reads them. */
  command: z.array(z.string().min(1)).min(1),
  /** How long it may take for one answer. */
  timeout_seconds: z.number().positive().max(3600).default(60),
});
export type ScorerConfig = z.infer<typeof scorerConfigSchema>;

const scorersSchema = z.record(z.string(), scorerConfigSchema);

/** No value is shown, because an argument may be a secret. */
const scorersFile: WorkerFile = { variable: 'COLLOQUY_SCORERS', file: 'scorers.yaml', showValues: false };

/** The scorers by name: those of the file that COLLOQUY_SCORERS names (else `configs/scorers.yaml`, if it is there). @throws InvalidConfig with every fault */
export function loadScorers(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, ScorerConfig> {
  return loadWorkerFile(scorersSchema, scorersFile, environment);
}

/** A scorer's program. It starts with the first answer and stays; it judges one answer at a time. */
export interface Scorer {
  /**
   * Whether an answer to a question is right.
   *
   * @throws ScorerEnded when the program cannot be started, or ends before it has replied
   * @throws ScorerTooSlow when the time for one answer is over; the program is then killed, and the next answer starts it again
   * @throws ScorerReplyUnreadable when its reply is no JSON object with `correct`
   */
  correct(answer: string, gold: Gold, question: string): Promise<boolean>;
  /** Ends the program. Answers that wait are rejected with ScorerEnded. */
  close(): Promise<void>;
}

const replySchema = z.object({ correct: z.boolean() });

/** @param name what a task calls it, for errors */
export function createScorer(name: string, { command, timeout_seconds: seconds }: ScorerConfig): Scorer {
  let running: Running | null = null;
  let closed = false;
  let last: Promise<unknown> = Promise.resolve();

  async function ask(line: string): Promise<boolean> {
    if (closed) throw new ScorerEnded(name, 'the worker is closing', '');
    running ??= start(command);
    const program = running;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new ScorerTooSlow(name, seconds)), seconds * 1000);
    });
    try {
      const reply = await Promise.race([program.reply(line), late]);
      if (reply === null) throw new ScorerEnded(name, await program.ended, program.errors());
      return read(reply);
    } catch (error) {
      // Its next line could be the reply to this answer.
      running = null;
      await program.kill();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  function read(reply: string): boolean {
    let content: unknown = null;
    try {
      content = JSON.parse(reply);
    } catch {
      // Refused below.
    }
    const parsed = replySchema.safeParse(content);
    if (!parsed.success) throw new ScorerReplyUnreadable(name, reply);
    return parsed.data.correct;
  }

  return {
    correct(answer, { answer: gold, accepted = [] }, question) {
      const line = JSON.stringify({ question, gold, accepted, answer });
      const judged = last.then(() => ask(line));
      last = judged.catch(() => undefined);
      return judged;
    },
    async close() {
      closed = true;
      await running?.kill();
    },
  };
}

interface Running {
  /** Sends a line; the program's next line, or null when it ends without one. */
  reply(line: string): Promise<string | null>;
  /** How it ended, e.g. `it exited with code 1`. */
  readonly ended: Promise<string>;
  /** The end of what it has written to stderr. */
  errors(): string;
  kill(): Promise<void>;
}

const KEPT_ERRORS = 2000;

function start([program = '', ...args]: readonly string[]): Running {
  const child: ChildProcessWithoutNullStreams = spawn(program, args, {
    // Python would keep its replies back until it has many of them.
    env: { ...childEnvironment(), PYTHONUNBUFFERED: '1' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let errors = '';
  child.stderr
    .setEncoding('utf8')
    .on('data', (text: string) => (errors = (errors + text).slice(-KEPT_ERRORS)));
  // Writing to a program that has just ended is no separate error: `ended` reports it.
  child.stdin.on('error', () => undefined);
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`it could not be started: ${error.message}`));
    child.once('exit', (code, signal) => {
      const how = signal === null ? `it exited with code ${code}` : `it was ended by ${signal}`;
      // The rest of its stderr comes before 'close', which a program that it has started itself can delay forever.
      child.once('close', () => resolve(how));
      setTimeout(() => resolve(how), 1000).unref();
    });
  });
  const replies = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async reply(line) {
      child.stdin.write(`${line}\n`);
      const next = await replies.next();
      return next.done === true ? null : next.value;
    },
    ended,
    errors: () => errors,
    async kill() {
      child.kill('SIGKILL');
      // A program that it has started itself reads the end of its input.
      child.stdin.destroy();
      child.stdout.destroy();
      await ended;
    },
  };
}
