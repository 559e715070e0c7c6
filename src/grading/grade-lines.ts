/** How does `colloquy grade` grade pairs of answers, one JSON object a line? */
import type { Writable } from 'node:stream';
import { ColloquyError, exitCodes } from '../errors.ts';
import type { Grader } from './grader.ts';

/** A line of the input is not a JSON object with the texts `gold` and `answer`. Lines count from 1. */
export class BadGradeLine extends ColloquyError {
  override name = 'BadGradeLine' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.badUsage;
  readonly line: number;
  constructor(line: number, problem: string) {
    super(`Line ${line}: ${problem}. Each line has to be like {"gold": "1/2", "answer": "0.5"}.`);
    this.line = line;
  }
}

/** The number of graded pairs, and how many of them were equal. */
export interface GradeCount {
  readonly pairs: number;
  readonly equal: number;
}

/**
 * Grades JSON lines `{gold, answer}` (`answer` is null when no answer was found) and writes each object with `equal` added, in the same
 * order. Blank lines are left out. Reads only as fast as `output` accepts the lines.
 *
 * @throws BadGradeLine at the first bad line, after all lines before it are written
 */
export async function gradeLines(
  input: AsyncIterable<string | Uint8Array>,
  output: Writable,
  grader: Grader,
): Promise<GradeCount> {
  let number = 0;
  let pairs = 0;
  let equal = 0;
  let pending: Promise<string>[] = [];
  try {
    for await (const line of lines(input)) {
      number++;
      if (line.trim() === '') continue;
      const { row, gold, answer } = parsePair(line, number);
      const result = answer === null ? false : grader.equal(gold, answer);
      pairs++;
      pending.push(lineOf(row, result));
      if (pending.length >= WINDOW) await flush();
    }
  } finally {
    await flush();
  }
  return { pairs, equal };

  async function lineOf(row: object, grading: boolean | Promise<boolean>): Promise<string> {
    const result = typeof grading === 'boolean' ? grading : await grading;
    if (result) equal++;
    return `${JSON.stringify({ ...row, equal: result })}\n`;
  }

  async function flush(): Promise<void> {
    const written = (await Promise.all(pending)).join('');
    pending = [];
    if (written !== '') await write(output, written);
  }
}

/** Resolves when `output` has accepted the text, so that reading waits for writing; rejects when `output` failed or was closed. */
function write(output: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = (): void => reject(new Error('The output was closed before all results were written.'));
    // A stream that fails calls the callback and emits `error`; a stream that is destroyed only emits `close`.
    output.once('error', reject);
    output.once('close', closed);
    output.write(text, (error) => {
      if (error) {
        reject(error);
        return;
      }
      output.removeListener('error', reject);
      output.removeListener('close', closed);
      resolve();
    });
  });
}

/** The number of pairs graded at the same time: enough that the engine never waits for the next line, and few in memory. */
const WINDOW = 256;

async function* lines(input: AsyncIterable<string | Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of input) {
    rest += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    const complete = rest.split('\n');
    rest = complete.pop() ?? '';
    yield* complete;
  }
  rest += decoder.decode();
  if (rest !== '') yield rest;
}

function parsePair(line: string, number: number): { row: object; gold: string; answer: string | null } {
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch {
    throw new BadGradeLine(number, 'this is not JSON');
  }
  if (typeof row !== 'object' || row === null || Array.isArray(row))
    throw new BadGradeLine(number, 'this is not a JSON object');
  const gold = 'gold' in row ? text(row.gold) : undefined;
  const answer = 'answer' in row ? text(row.answer) : undefined;
  if (typeof gold !== 'string')
    throw new BadGradeLine(number, `"gold" is ${described(row, 'gold')}, not a text`);
  if (answer === undefined)
    throw new BadGradeLine(number, `"answer" is ${described(row, 'answer')}, not a text`);
  return { row, gold, answer };
}

/** A text or a number as a text: datasets write whole-number answers in both ways. */
function text(value: unknown): string | null | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' || value === null ? value : undefined;
}

function described(row: object, key: 'gold' | 'answer'): string {
  const value: unknown = key in row ? Object.entries(row).find(([name]) => name === key)?.[1] : undefined;
  if (value === undefined) return 'missing';
  return value === null ? 'null' : Array.isArray(value) ? 'a list' : `of type ${typeof value}`;
}
