import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BrowsedDebate, DebateEntry } from '../../../src/report/debate-browser/browsed-debate.ts';
import { scrolledTo, visibleRows } from '../../../src/report/debate-browser/page/finder.tsx';
import {
  addressOf,
  type Filter,
  filterCounts,
  hashOf,
  passes,
  search,
  unpack,
} from '../../../src/report/debate-browser/page/library.ts';
import { marked, piecesOf } from '../../../src/report/debate-browser/page/view.tsx';
import { packedLines } from '../../../src/report/debate-browser/write.ts';

const entry = (changes: Partial<DebateEntry> = {}): DebateEntry => ({
  set: 'heldout',
  iteration: 1,
  id: 'heldout-00000',
  question: '1+1',
  gold: '2',
  first: '2',
  last: '2',
  outcome: 'right',
  tied: false,
  unparsable: false,
  cutOff: false,
  differedFirst: false,
  differedLast: false,
  block: 0,
  line: 0,
  ...changes,
});
const all: Filter = {
  set: 'heldout',
  iteration: null,
  outcomes: [],
  tied: false,
  unparsable: false,
  cutOff: false,
  agreement: 'any',
};

describe('packed lines', () => {
  it('come out as they went in, whatever they say, and mean nothing to HTML while they are packed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'binary' }), { minLength: 1 }),
        fc.integer({ min: 1, max: 60 }),
        async (texts, blockLength) => {
          const lines = packedLines(blockLength);
          const places = [];
          for (const text of texts) {
            places.push(lines.place());
            await lines.add({ text });
          }
          await lines.end();
          const packed = lines.take();
          expect(packed.join('')).toMatch(/^[A-Za-z0-9+/=]+$/);
          expect(lines.bytes()).toBe(packed.join('').length);
          const blocks = await Promise.all(packed.map(unpack));
          const found = places.map(
            ({ block, line }) => JSON.parse(blocks[block]![line]!) as { text: string },
          );
          expect(found.map(({ text }) => text)).toEqual(texts);
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('the filter', () => {
  const entries = [
    entry({ outcome: 'saved', differedFirst: true }),
    entry({ outcome: 'saved', differedFirst: true, differedLast: true, tied: true }),
    entry({ outcome: 'spoilt', differedFirst: true, differedLast: true }),
    entry({ outcome: 'wrong', unparsable: true, tied: true, iteration: 2 }),
    entry(),
    entry({ set: 'train', gold: null, outcome: null, tied: true, cutOff: true }),
  ];
  const listed = (filter: Partial<Filter>) =>
    entries.flatMap((each, index) => (passes(each, { ...all, ...filter }) ? [index] : []));

  it('lists debates of any chosen outcome, or all when none is chosen', () => {
    expect(listed({})).toEqual([0, 1, 2, 3, 4]);
    expect(listed({ outcomes: ['saved'] })).toEqual([0, 1]);
    expect(listed({ outcomes: ['saved', 'spoilt'] })).toEqual([0, 1, 2]);
  });

  it('lists ties, debates with unreadable answers, those of an iteration, and those in which agents differed', () => {
    expect(listed({ tied: true })).toEqual([1, 3]);
    expect(listed({ tied: true, unparsable: true })).toEqual([3]);
    expect(listed({ iteration: 2 })).toEqual([3]);
    expect(listed({ agreement: 'agreed' })).toEqual([3, 4]);
    expect(listed({ agreement: 'differed' })).toEqual([0, 1, 2]);
    expect(listed({ agreement: 'differed-to-the-end' })).toEqual([1, 2]);
  });

  it('lists debates on training questions alone, which no choice of outcomes concerns', () => {
    expect(listed({ set: 'train' })).toEqual([5]);
    expect(listed({ set: 'train', tied: true, cutOff: true })).toEqual([5]);
    expect(listed({ cutOff: true })).toEqual([]);
    expect(listed({ set: 'train', outcomes: ['saved'] })).toEqual([]);
  });

  it('says of each choice how many it would list beside the others', () => {
    expect(filterCounts(entries, { ...all, outcomes: ['saved'] })).toEqual({
      saved: 2,
      spoilt: 1,
      right: 1,
      wrong: 1,
      tied: 1,
      unparsable: 0,
      cutOff: 0,
    });
  });
});

describe('the search', () => {
  const turn = (response: string, summary?: string) => ({
    shown: summary === undefined ? null : { text: summary, kind: 'summary' as const },
    response,
    finishReason: null,
    answer: '2',
    verdict: 'right' as const,
  });
  const vote = { answer: '2', correct: true, votes: 1, tied: 1 };
  const debate = (...turns: BrowsedDebate['rounds'][number]): BrowsedDebate => ({
    question: 'How many?',
    gold: '2',
    rounds: [turns],
    first: vote,
    last: vote,
  });
  const blocks = [
    [debate(turn('ONE apple')), debate(turn('two pears', 'all say apple'))],
    [debate({ ...turn('three'), shown: { text: 'apple', kind: 'responses' } })],
  ];
  const entries = [entry(), entry({ line: 1 }), entry({ id: 'other', block: 1 })];
  const found = async (query: string, among = entries) => {
    const read: number[] = [];
    const ids: DebateEntry[] = [];
    const readBlock = async (block: number) => {
      read.push(block);
      return blocks[block]!;
    };
    for await (const step of search(query, among, readBlock)) ids.push(...step.found);
    return { found: ids.map((each) => entries.indexOf(each)), read };
  };

  it('looks at responses, summaries, questions, ids and answers, whatever the case of letters', async () => {
    expect((await found('Apple')).found).toEqual([0, 1]);
    expect((await found('how MANY')).found).toEqual([0, 1, 2]);
    expect((await found('OTHER')).found).toEqual([2]);
    expect((await found('nowhere')).found).toEqual([]);
  });

  it('unpacks only blocks that have a debate it is to look at', async () => {
    expect(await found('three', [entries[2]!])).toEqual({ found: [2], read: [1] });
  });
});

describe('the address of a debate', () => {
  it('names its iteration and its question, whatever the id is', () => {
    expect(hashOf({ iteration: 2, id: 'test-00017' })).toBe('#i2/test-00017');
    fc.assert(
      fc.property(fc.nat(), fc.string({ minLength: 1, unit: 'grapheme' }), (iteration, id) => {
        expect(addressOf(hashOf({ iteration, id }))).toEqual({ iteration, id });
      }),
    );
  });

  it('is none when the hash is anything else', () => {
    for (const hash of ['', '#', '#i/x', '#i2/', '#ix/y', '#i2/%E0%A4%A'])
      expect(addressOf(hash)).toBeUndefined();
  });
});

describe('what was looked for', () => {
  it('is every second piece of the text, whatever the case', () => {
    expect(marked('Ab aB c', 'AB')).toEqual(['', 'Ab', ' ', 'aB', ' c']);
    expect(marked('none', 'x')).toEqual(['none']);
    // Its lower case is longer by one: nothing is marked rather than something else.
    expect(marked('İab', 'ab')).toEqual(['İab']);
  });

  it('never changes the text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.string({ unit: 'binary', maxLength: 3 }),
        (text, query) => {
          expect(marked(text, query).join('')).toBe(text);
        },
      ),
    );
  });
});

describe('a response', () => {
  const inWords = (text: string) =>
    piecesOf(text).map((piece) => (piece.kind === 'text' ? piece.text : [piece.latex, piece.display]));

  it('is cut at its formulas, with any of the usual delimiters', () => {
    expect(inWords('So $x^2$ is \\(y\\), and\n\\[z\\] or $$w$$: \\boxed{\\frac{1}{2}}.')).toEqual([
      'So ',
      ['x^2', false],
      ' is ',
      ['y', false],
      ', and\n',
      ['z', true],
      ' or ',
      ['w', true],
      ': ',
      ['\\boxed{\\frac{1}{2}}', false],
      '.',
    ]);
  });

  it('has no formula where dollars are amounts, alone, escaped or empty', () => {
    for (const text of ['$5 and $7', 'It costs $5.', 'a$b$c', '\\$x$', '$ $', '$$'])
      expect(inWords(text)).toEqual([text]);
  });

  it('never loses a character to its formulas, and is cut in linear time', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('$', '\\', '(', ')', '[', ']', '{', '}', 'a', ' ', '\n') }),
        (text) => {
          const kept = piecesOf(text).map((piece) => (piece.kind === 'text' ? piece.text : piece.source));
          expect(kept.join('')).toBe(text);
        },
      ),
    );
    for (const hostile of ['$a ', '\\(', '\\[', '$$a', '\\boxed{', '\\boxed{{a}'])
      expect(piecesOf(hostile.repeat(20_000)).length).toBeGreaterThan(0);
  }, 20_000);
});

describe('a list of a million rows', () => {
  it('draws only what is seen, and a few around it', () => {
    expect(visibleRows(1_000_000, 76, { top: 7_600, height: 760 }, 2)).toEqual({ from: 98, to: 112 });
    expect(visibleRows(5, 76, { top: 0, height: 760 })).toEqual({ from: 0, to: 5 });
    // A filter has made the list shorter than where it was scrolled to.
    expect(visibleRows(3, 76, { top: 76_000, height: 760 })).toEqual({ from: 3, to: 3 });
  });

  it('scrolls no further than to show a row whole', () => {
    expect(scrolledTo(3, 76, { top: 0, height: 760 })).toBe(0);
    expect(scrolledTo(10, 76, { top: 0, height: 760 })).toBe(76);
    expect(scrolledTo(2, 76, { top: 760, height: 760 })).toBe(152);
  });
});
