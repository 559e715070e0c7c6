import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { paretoFront } from '../../../src/report/analyse/gains.ts';
import { flipsChart, transferChart } from '../../../src/report/charts/gained-and-lost.ts';
import { spread } from '../../../src/report/charts/line.ts';
import { accuracyOverIterations, metricOverIterations } from '../../../src/report/charts/curves.ts';
import { paretoChart, placeNames } from '../../../src/report/charts/pareto.ts';
import { methodStyles } from '../../../src/report/charts/style.ts';
import { flips, overIterations, priced, transfers } from './made-up-figures.ts';

const texts = (svg: string) =>
  [...svg.matchAll(/<text([^>]*)>([^<]*)<\/text>/g)]
    .filter(([, attributes]) => !attributes!.includes('opacity="0"'))
    .map(([, , text]) => text!);
/** The marks of one layer, e.g. `mark-symbol`. */
const marks = (svg: string, kind: string) =>
  [...svg.matchAll(new RegExp(`<g class="${kind} role-mark[^>]*>(.*?)</g>`, 'gs'))].flatMap(
    ([, group]) => group!.match(/<(path|line|text) /g) ?? [],
  );
const sound = (svg: string) => {
  expect(svg).toMatch(/^<svg /);
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
};

describe('accuracy over iterations', () => {
  it('has a line through every value of a method that trains, and a level line for one that does not', async () => {
    const svg = await accuracyOverIterations(overIterations, 880);
    sound(svg);
    // Five methods train and have six values; base, majority and debate have one.
    expect(marks(svg, 'mark-symbol')).toHaveLength(5 * 6);
    expect(svg.match(/stroke-dasharray="7,4"/g)).toHaveLength(3);
    expect(svg.match(/d="M[^"L]+(L[^"L]+){5}"/g)).toHaveLength(5);
    expect(texts(svg)).toEqual(expect.arrayContaining(['base', '1', '5', 'iteration', 'right answers, %']));
  });

  it('names each line beside its end in its own colour, and in a legend where there is no room', async () => {
    for (const width of [880, 350]) {
      const svg = await accuracyOverIterations(overIterations, width);
      for (const { method } of overIterations) expect(texts(svg)).toContain(method);
    }
    const wide = await accuracyOverIterations(overIterations, 880);
    expect(wide).toMatch(/<text[^>]*fill="var\(--method-1\)"[^>]*>multiagent-ft</);
  });

  it('leaves out what is not a number, and draws the rest', async () => {
    const svg = await metricOverIterations(
      'distinct answers a question',
      [
        {
          method: 'a',
          points: [1.2, Number.NaN, 1.4].map((value, iteration) => ({ iteration, value, interval: null })),
        },
        { method: 'b', points: [{ iteration: 0, value: Number.NaN, interval: null }] },
      ],
      880,
    );
    sound(svg);
    expect(marks(svg, 'mark-symbol')).toHaveLength(2);
    expect(texts(svg)).toContain('distinct answers a question');
  });

  it('is drawn when there is one method with one value', async () => {
    const one = [{ method: 'base', points: [{ iteration: 0, value: 0.5, interval: null }] }];
    const svg = await accuracyOverIterations(one, 880);
    sound(svg);
    expect(marks(svg, 'mark-symbol')).toHaveLength(1);
  });
});

describe('the style of a method', () => {
  it('is the same in every study that has it, and no two methods of a study share one', () => {
    const names = [
      'x',
      'debate',
      'y',
      'star',
      'multiagent-ft',
      'no-summary',
      'cooperative',
      'unique-id',
      'z',
    ];
    const styles = methodStyles(names);
    expect(new Set(styles.map((style) => JSON.stringify(style))).size).toBe(names.length);
    expect(methodStyles(['star', 'debate'])).toEqual([styles[3], styles[1]]);
  });
});

describe('accuracy against tokens', () => {
  it('has the results that none beats for less on its front', () => {
    expect(paretoFront(priced).map(({ method }) => method)).toEqual([
      'base',
      'majority',
      'majority, 9 answers',
      'debate',
      'star',
      'majority-ft',
      'no-critic',
      'multiagent-ft',
    ]);
    const dominated = { tokens: 900_000, accuracy: 0.4 };
    expect(paretoFront([...priced, dominated])).not.toContain(dominated);
  });

  it('has for any result one on the front that is as good for as many tokens or fewer', () => {
    const result = fc.record({
      tokens: fc.integer({ min: 1, max: 50 }),
      accuracy: fc.integer({ min: 0, max: 20 }),
    });
    fc.assert(
      fc.property(fc.array(result), (results) => {
        const front = paretoFront(results);
        for (const each of results)
          expect(front.some((best) => best.tokens <= each.tokens && best.accuracy >= each.accuracy)).toBe(
            true,
          );
        for (const [index, each] of front.entries()) {
          const next = front[index + 1];
          if (next === undefined) continue;
          expect(next.tokens).toBeGreaterThan(each.tokens);
          expect(next.accuracy).toBeGreaterThan(each.accuracy);
        }
      }),
    );
  });

  it('is drawn with a named mark for each method, hollow when it is not on the front', async () => {
    const beaten = { method: 'beaten', tokens: 5_000_000, accuracy: 0.4, interval: null };
    const unpriced = { method: 'unpriced', tokens: 0, accuracy: 0.4, interval: null };
    const svg = await paretoChart([...priced, beaten, unpriced], 880);
    sound(svg);
    expect(marks(svg, 'mark-symbol')).toHaveLength(priced.length + 1);
    expect(svg.match(/fill="var\(--card\)"/g)).toHaveLength(1);
    for (const { method } of [...priced, beaten]) expect(texts(svg)).toContain(method);
    expect(texts(svg)).not.toContain('unpriced');
    sound(await paretoChart([], 350));
  });
});

describe('flips', () => {
  it('are four parts of a bar for each method, which say how many per cent where there is room', async () => {
    const svg = await flipsChart(flips, 880);
    sound(svg);
    expect(marks(svg, 'mark-rect')).toHaveLength(4 * flips.length);
    // 610 of 1,500; 31 of 1,500 are too few to be written.
    expect(texts(svg)).toContain('41');
    expect(marks(svg, 'mark-text')).toHaveLength(4 * flips.length - 1);
    for (const kind of ['stayed right', 'wrong to right', 'right to wrong', 'stayed wrong'])
      expect(texts(svg)).toContain(kind);
  });

  it('have no bar where a method gave no answers', async () => {
    const nothing = { method: 'none', keptRight: 0, wrongToRight: 0, rightToWrong: 0, keptWrong: 0 };
    const svg = await flipsChart([nothing, ...flips], 350);
    sound(svg);
    expect(marks(svg, 'mark-rect')).toHaveLength(4 * flips.length);
    expect(texts(svg)).toContain('none');
  });
});

describe('the transfer matrix', () => {
  it('has a cell for each pair of tasks, with accuracy and gain, and a dash where nothing was evaluated', async () => {
    const svg = await transferChart(transfers, 880);
    sound(svg);
    expect(marks(svg, 'mark-rect')).toHaveLength(3 * 3);
    expect(texts(svg)).toEqual(expect.arrayContaining(['93.0', '+41.0', '60.0', '−1.0', '–']));
    expect(texts(svg).filter((text) => text === '–')).toHaveLength(1);
    expect(svg.match(/fill="var\(--gained\)"/g)).toHaveLength(3);
    expect(svg.match(/fill="var\(--lost\)"/g)).toHaveLength(2);
  });

  it('is drawn when a figure is missing', async () => {
    sound(
      await transferChart([{ trained: 'a', evaluated: 'b', accuracy: Number.NaN, gain: Number.NaN }], 350),
    );
  });
});

describe('names in a chart', () => {
  it('stand apart by the gap, as near as that to where they belong, within the plot if they fit', () => {
    expect(spread([10, 12, 100], 15, 200)).toEqual([10, 25, 100]);
    expect(spread([198, 199], 15, 200)).toEqual([185, 200]);
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 300, noNaN: true }), { maxLength: 15 }), (wanted) => {
        const places = spread(wanted, 15, 300);
        const sorted = places.toSorted((a, b) => a - b);
        for (const [index, place] of sorted.slice(1).entries())
          expect(place - sorted[index]!).toBeGreaterThanOrEqual(15 - 1e-9);
        expect(Math.max(0, ...places)).toBeLessThanOrEqual(300);
      }),
    );
  });

  it('do not cover a mark or another name while there is room', () => {
    const plot = { width: 400, height: 300 };
    const places = placeNames(
      [
        { name: 'first', x: 100, y: 100 },
        { name: 'second', x: 104, y: 102 },
        { name: 'at the edge', x: 395, y: 200 },
      ],
      plot,
    );
    expect(places[2]!.align).toBe('right');
    const [first, second] = places.map(({ name, x, y, align }) => {
      const width = 7 * name.length;
      const left = align === 'left' ? x : align === 'right' ? x - width : x - width / 2;
      return { left, right: left + width, y };
    });
    const beside = first!.right <= second!.left || second!.right <= first!.left;
    expect(beside || Math.abs(first!.y - second!.y) >= 14).toBe(true);
  });

  it('do not cover each other where eight methods cost the same and are nearly as accurate', () => {
    const plot = { width: 292, height: 160 };
    const marks = Array.from({ length: 8 }, (_, index) => ({
      name: `objective-number-${index}`,
      x: 200 + index / 10,
      y: 60 + 2 * index,
    }));
    const boxes = placeNames(marks, plot).map(({ name, x, y, align }) => {
      const width = 7 * name.length;
      const left = align === 'left' ? x : align === 'right' ? x - width : x - width / 2;
      return { name, left, right: left + width, top: y - 7, bottom: y + 7 };
    });
    for (const [index, a] of boxes.entries())
      for (const b of boxes.slice(index + 1))
        expect(
          a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top,
          `${a.name} and ${b.name}`,
        ).toBe(true);
    for (const { top, bottom } of boxes) expect(top >= -8 && bottom <= plot.height).toBe(true);
  });
});
