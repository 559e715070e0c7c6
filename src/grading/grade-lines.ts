/** How does `colloquy grade` grade answers or whole responses, one JSON object a line? */
import type { Writable } from 'node:stream';
import { equalsOneOf, extractAnswer } from '../algorithm/answer.ts';
import { ColloquyError, exitCodes } from '../errors.ts';
import type { Grader } from './grader.ts';

/** A line of the input is not text in UTF-8, or not a JSON object with `gold` and `answer` or `response`. Lines count from 1. */
export class BadGradeLine extends ColloquyError {
  override name = 'BadGradeLine' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.badUsage;
  readonly line: number;
  constructor(line: number, problem: string) {
    super(
      `Line ${line}: ${problem}. Each line has to be like {"gold": "1/2", "answer": "0.5"} or {"gold": "1/2", "response": "… \\\\boxed{0.5}"}.`,
    );
    this.line = line;
  }
}

/** The number of graded pairs, and how many of them were equal. */
export interface GradeCount {
  readonly pairs: number;
  readonly equal: number;
}

/**
 * Grades JSON lines `{gold, answer}` (`answer` is null when no answer was found) or `{gold, response}`, and writes each object with `equal`
 * added, in the same order. Of a response the answer is extracted first, and added as `answer`. `gold` may be a list: an answer is right when
 * it equals one of them. Blank lines are left out. Reads only as fast as `output` accepts the lines.
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
      const { row, golds, answer } = parsePair(line, number);
      const result =
        answer === null ? false : equalsOneOf(golds, answer, (gold, given) => grader.equal(gold, given));
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

/**
 * The lines of a text in UTF-8.
 *
 * @throws BadGradeLine when a line is in another encoding
 */
async function* lines(input: AsyncIterable<string | Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = Buffer.alloc(0);
  let number = 0;
  for await (const chunk of input) {
    rest = Buffer.concat([rest, typeof chunk === 'string' ? Buffer.from(chunk) : chunk]);
    let start = 0;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10, start)) {
      yield decoded(rest.subarray(start, end), ++number, decoder);
      start = end + 1;
    }
    rest = rest.subarray(start);
  }
  if (rest.length > 0) yield decoded(rest, ++number, decoder);
}

/** Bytes of another encoding are refused: with a replacement character in their place, two different answers would be equal. */
function decoded(line: Uint8Array, number: number, decoder: TextDecoder): string {
  try {
    const text = decoder.decode(line);
    if (!text.includes('\0')) return text;
  } catch {
    // Named below.
  }
  throw new BadGradeLine(number, `it is not text in UTF-8 (${encodingOf(line)})`);
}

function encodingOf(line: Uint8Array): string {
  if (line[0] === 0x1f && line[1] === 0x8b) return 'it is compressed with gzip: unpack it with `gunzip`';
  if (line.includes(0)) return 'it looks like UTF-16: convert it with `iconv -f UTF-16 -t UTF-8`';
  return 'it may be Latin-1: convert it with `iconv -f LATIN1 -t UTF-8`';
}

type Pair = { readonly row: object; readonly golds: readonly string[]; readonly answer: string | null };

function parsePair(line: string, number: number): Pair {
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch {
    throw new BadGradeLine(number, 'this is not JSON');
  }
  if (typeof row !== 'object' || row === null || Array.isArray(row))
    throw new BadGradeLine(number, 'this is not a JSON object');
  const golds = accepted('gold' in row ? row.gold : undefined);
  if (golds === null)
    throw new BadGradeLine(number, `"gold" is ${described(row, 'gold')}, not a text or a list of texts`);
  if ('response' in row && 'answer' in row)
    throw new BadGradeLine(number, 'it has both "answer" and "response"');
  if ('response' in row) {
    const response = row.response;
    if (typeof response !== 'string')
      throw new BadGradeLine(number, `"response" is ${described(row, 'response')}, not a text`);
    const found = extractAnswer(response);
    return { row: { ...row, answer: found }, golds, answer: found };
  }
  const answer = 'answer' in row ? text(row.answer) : undefined;
  if (answer === undefined)
    throw new BadGradeLine(number, `"answer" is ${described(row, 'answer')}, not a text`);
  return { row, golds, answer };
}

/** The accepted answers: a text, a number, or a list of them that is not empty; null for anything else. */
function accepted(value: unknown): string[] | null {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  const texts = list.map(text).filter((one) => typeof one === 'string');
  return list.length > 0 && texts.length === list.length ? texts : null;
}

/** A text or a number as a text: datasets write whole-number answers in both ways. */
function text(value: unknown): string | null | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' || value === null ? value : undefined;
}

function described(row: object, key: 'gold' | 'answer' | 'response'): string {
  const value: unknown = key in row ? Object.entries(row).find(([name]) => name === key)?.[1] : undefined;
  if (value === undefined) return 'missing';
  return value === null ? 'null' : Array.isArray(value) ? 'a list' : `of type ${typeof value}`;
}
