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
    ['{"gold":[],"answer":"1"}', 1, '"gold" is a list'],
    ['{"gold":"1","response":null}', 1, '"response" is null'],
    ['{"gold":"1","response":"1","answer":"1"}', 1, 'both "answer" and "response"'],
  ])('names the bad line of %j', async (text, line, problem) => {
    const error: unknown = await graded(text).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(BadGradeLine);
    expect(error).toMatchObject({ line, message: expect.stringContaining(problem) });
  });

  it('extracts the answer of a response first, and writes it', async () => {
    const { written, count } = await graded(
      [
        '{"gold":"21","response":"3 times 7 is $\\\\boxed{21}$."}',
        '{"gold":"21","response":"I do not know."}',
        '{"gold":"21","response":"The answer is 22."}',
      ].join('\n'),
    );
    expect(written).toMatchObject([
      { answer: '21', equal: true },
      { answer: null, equal: false },
      { answer: '22', equal: false },
    ]);
    expect(count).toEqual({ pairs: 3, equal: 1 });
  });

  it('takes several gold answers, of which one has to be equal', async () => {
    const { written } = await graded(
      [
        '{"gold":["colour","color"],"answer":"Color"}',
        '{"gold":["\\\\sqrt{8}",3],"answer":"2\\\\sqrt{2}"}',
        '{"gold":["colour","color"],"answer":"red"}',
      ].join('\n'),
    );
    expect(written).toMatchObject([{ equal: true }, { equal: true }, { equal: false }]);
  });

  it.each([
    ['Latin-1', Buffer.from('{"gold":"Café","answer":"Cafè"}\n', 'latin1'), 1, 'iconv -f LATIN1'],
    [
      'Latin-1',
      Buffer.from('{"gold":"1","answer":"1"}\n{"gold":"ü","answer":"ä"}', 'latin1'),
      2,
      'iconv -f LATIN1',
    ],
    ['UTF-16', Buffer.from('\ufeff{"gold":"1","answer":"1"}\n', 'utf16le'), 1, 'iconv -f UTF-16'],
    ['gzip', Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]), 1, 'gunzip'],
  ])('refuses %s, where another answer could seem equal', async (_, bytes, line, remedy) => {
    const grading = gradeLines(Readable.from([bytes]), new PassThrough(), grader);
    await expect(grading).rejects.toMatchObject({ line, message: expect.stringContaining(remedy) });
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
