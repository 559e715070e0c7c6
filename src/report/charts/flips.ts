import { draw, widthOf } from './style.ts';

/** How a method's answers changed from one round to the next: counts of answers. */
export type FlipsData = {
  readonly method: string;
  readonly keptRight: number;
  readonly wrongToRight: number;
  readonly rightToWrong: number;
  readonly keptWrong: number;
};

/**
 * Flips as SVG: for each method a bar of all its answers, stacked by whether they were right before and after.
 *
 * @param width in CSS pixels, of the whole picture
 */
export async function flipsChart(methods: readonly FlipsData[], width: number): Promise<string> {
  const padding = {
    left: 24 + widthOf(methods.map(({ method }) => method)),
    right: 14,
    top: 8,
    bottom: 48 + 14 + 18 * (width < 600 ? 2 : 1),
  };
  const plot = { width: width - padding.left - padding.right, height: 34 * methods.length };
  const rows = methods.flatMap((each) => {
    const all = kinds.reduce((sum, { key }) => sum + each[key], 0);
    let before = 0;
    return kinds.flatMap(({ key, label }) => {
      const share = all === 0 ? 0 : (100 * each[key]) / all;
      const from = before;
      before += share;
      const middle = from + share / 2;
      return all === 0 ? [] : [{ method: each.method, kind: label, key, share, from, to: before, middle }];
    });
  });
  const y = {
    field: 'method',
    type: 'nominal',
    sort: null,
    scale: { domain: methods.map(({ method }) => method), padding: 0.25 },
    axis: { title: null, labelColor: 'var(--ink)', labelPadding: 10, labelLimit: 0 },
  } as const;
  const domain: number[] = [0, 100];
  const x = {
    field: 'from',
    type: 'quantitative',
    scale: { domain },
    axis: { title: 'answers, %', labelPadding: 8, tickCount: 5 },
  } as const;
  // A number with its per cent sign takes about 30 pixels; narrower bars have none.
  const wide = (3_000 / plot.width).toFixed(2);
  return draw({
    ...plot,
    padding,
    data: { values: rows },
    encoding: { y },
    layer: [
      {
        mark: { type: 'bar' },
        encoding: {
          x,
          x2: { field: 'to' },
          color: {
            field: 'kind',
            type: 'nominal',
            sort: null,
            scale: { domain: kinds.map(({ label }) => label), range: kinds.map(({ colour }) => colour) },
            legend: {
              // At the picture's left edge and not the plot's: the names of methods may be long.
              orient: 'none',
              legendX: 10 - padding.left,
              legendY: plot.height + 50,
              direction: 'horizontal',
              columns: width < 600 ? 2 : 4,
              symbolType: 'square',
            },
          },
        },
      },
      ...kinds.map(({ key, ink }) => ({
        mark: { type: 'text' as const, fontSize: 11, fill: ink },
        transform: [{ filter: `datum.key === '${key}' && datum.share >= ${wide}` }],
        encoding: {
          x: { field: 'middle', type: 'quantitative' as const },
          text: { field: 'share', type: 'quantitative' as const, format: '.0f' },
        },
      })),
    ],
  });
}

const kinds = [
  { key: 'keptRight', label: 'stayed right', colour: 'var(--kept-right)', ink: 'var(--ink)' },
  { key: 'wrongToRight', label: 'wrong to right', colour: 'var(--gained)', ink: 'var(--on-strong)' },
  { key: 'rightToWrong', label: 'right to wrong', colour: 'var(--lost)', ink: 'var(--on-strong)' },
  { key: 'keptWrong', label: 'stayed wrong', colour: 'var(--kept-wrong)', ink: 'var(--ink)' },
] as const;
