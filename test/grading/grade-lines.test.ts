import { PassThrough, Readable, Writable } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { BadGradeLine, gradeLines } from '../../src/grading/grade-lines.ts';
import { createGrader } from '../../src/grading/grader.ts';

const grader = createGrader();
afterAll(() => grader.close());

describe('grading JSON lines', () => {
  it('writes the same objects with `equal`, in the order of the lines', { timeout: 60_000 }, async () => {
    const rows = [
      { id: 1, gold: '\\sqrt{12}', answer: '2\\sqrt{3}' },
      { gold: '1/2', answer: '0.5', note: 'ü' },
      { gold: '5', answer: null },
      { gold: 7, answer: '7' },
      { gold: '5', answer: '6' },
    ];
    const { written, count } = await graded(rows.map((row) => JSON.stringify(row)).join('\n\n'));
    expect(written).toEqual(
      rows.map((row, index) => ({ ...row, equal: [true, true, false, true, false][index] })),
    );
    expect(count).toEqual({ pairs: 5, equal: 3 });
  });

  it('accepts bytes that are cut at any place', async () => {
    const bytes = Buffer.from('{"gold":"½","answer":"0.5"}\r\n{"gold":"π","answer":"\\\\pi"}\n');
    const pieces = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
    const output = new PassThrough();
    const count = await gradeLines(Readable.from(pieces), output, grader);
    expect(count).toEqual({ pairs: 2, equal: 2 });
  });

  it.each([
    ['{"gold":"1","answer":"1"}\n{"gold":', 2, 'not JSON'],
    ['[1,2]', 1, 'not a JSON object'],
    ['\n\n{"answer":"1"}', 3, '"gold" is missing'],
    ['{"gold":"1"}', 1, '"answer" is missing'],
    ['{"gold":null,"answer":"1"}', 1, '"gold" is null'],
    ['{"gold":"1","answer":["1"]}', 1, '"answer" is a list'],
  ])('names the bad line of %j', async (text, line, problem) => {
    const error: unknown = await graded(text).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(BadGradeLine);
    expect(error).toMatchObject({ line, message: expect.stringContaining(problem) });
  });

  it('writes the lines before a bad one', async () => {
    const output = new PassThrough();
    await expect(gradeLines(Readable.from(['{"gold":"1","answer":"1"}\nx']), output, grader)).rejects.toThrow(
      'Line 2',
    );
    expect(output.read()?.toString()).toBe('{"gold":"1","answer":"1","equal":true}\n');
  });

  it('reads only as fast as a slow output accepts lines', async () => {
    let read = 0;
    async function* endless(): AsyncGenerator<string> {
      for (; read < 100_000; read++) yield '{"gold":"1","answer":"1"}\n';
    }
    const release: (() => void)[] = [];
    let wrote = (): void => {};
    const firstWrite = new Promise<void>((resolve) => (wrote = resolve));
    const slow = new Writable({
      highWaterMark: 1,
      write(_chunk, _encoding, done) {
        release.push(done);
        wrote();
      },
    });
    const grading = gradeLines(endless(), slow, grader);
    await firstWrite;
    await new Promise((resolve) => setImmediate(resolve));
    expect(read).toBeLessThan(2000);
    slow.destroy();
    await expect(grading).rejects.toThrow();
  });
});

async function graded(text: string): Promise<{ written: unknown[]; count: unknown }> {
  const output = new PassThrough();
  const chunks: Buffer[] = [];
  output.on('data', (chunk: Buffer) => chunks.push(chunk));
  const count = await gradeLines(Readable.from([text]), output, grader);
  output.end();
  const lines = Buffer.concat(chunks).toString().trim().split('\n');
  return { written: lines.map((line): unknown => JSON.parse(line)), count };
}
