import { draw, type MethodStyle, widthOf, writtenNames } from './style.ts';

/** A line of a chart. */
export type Line = {
  readonly name: string;
  readonly style: MethodStyle;
  /** In the order of the axis. */
  readonly points: readonly LinePoint[];
};
export type LinePoint = {
  /** One of the axis's labels. */
  readonly x: string;
  readonly y: number;
  /** The ends of its interval; null where there is none. */
  readonly interval: { readonly low: number; readonly high: number } | null;
  /** Whether the line goes through it; otherwise it is hollow, beside the line. */
  readonly onLine: boolean;
};
/** A value that is the same all along the axis: drawn as a level line. */
export type Level = { readonly name: string; readonly style: MethodStyle; readonly y: number };

export type LineChart = {
  readonly lines: readonly Line[];
  readonly levels: readonly Level[];
  readonly x: { readonly title: string; readonly labels: readonly string[] };
  readonly y: { readonly title: string; readonly domain: readonly [number, number] };
  /** Where the lines' names are: at the lines' ends, in a legend below, or somewhere else in the page. */
  readonly names: 'beside' | 'below' | 'in the page';
  /** Of the whole picture, in CSS pixels. */
  readonly width: number;
};

/** Lines over an axis of labels, with intervals as bars, as SVG. Values that are not finite are left out. */
export async function lineChart(chart: LineChart): Promise<string> {
  const { names } = chart;
  const lines = chart.lines.map((line) => ({
    ...line,
    points: line.points.filter(({ y }) => Number.isFinite(y)),
  }));
  const levels = chart.levels.filter(({ y }) => Number.isFinite(y));
  const drawn = [...lines, ...levels];
  const padding = {
    left: 44,
    right: names === 'beside' ? 24 + widthOf(drawn.map(({ name }) => name)) : 10,
    top: 32,
    bottom:
      48 + (names === 'below' ? 14 + 18 * Math.ceil(drawn.length / legendColumns(drawn, chart.width)) : 0),
  };
  const width = chart.width - padding.left - padding.right;
  const room = names === 'beside' ? lineOfName * drawn.length : 0;
  const height = Math.max(room, Math.round(Math.min(320, Math.max(230, chart.width * 0.45))) - 80);
  const { colour, mark, place, yPlace } = encodings(chart, lines, drawn, width);
  const values = lines.flatMap(({ name, points }) =>
    points.map(({ x, y, onLine, interval }) => ({ name, x, y, onLine, ...interval })),
  );
  const ends = [
    ...lines.flatMap(({ points, ...line }) => points.slice(-1).map(({ y }) => ({ ...line, y }))),
    ...levels,
  ];
  return draw({
    width,
    height,
    padding,
    data: { values },
    encoding: { color: colour },
    layer: [
      {
        data: { values: levels.map(({ name, y }) => ({ name, y })) },
        mark: { type: 'rule', strokeWidth: 1.75, strokeDash: [7, 4] },
        encoding: { y: yPlace },
      },
      {
        mark: { type: 'line', strokeWidth: 2.25 },
        transform: [{ filter: 'datum.onLine' }],
        encoding: { ...place, y: yPlace, strokeDash: mark.dash },
      },
      {
        mark: { type: 'rule', strokeWidth: 1.5 },
        transform: [{ filter: 'isValid(datum.low)' }],
        encoding: {
          ...place,
          y: { field: 'low', type: 'quantitative' },
          y2: { field: 'high' },
        },
      },
      {
        mark: { type: 'point', opacity: 1, size: Math.min(70, 25 + 180 / drawn.length) },
        encoding: {
          ...place,
          y: yPlace,
          shape: mark.shape,
          fill: { ...colour, condition: { test: '!datum.onLine', value: 'var(--card)' } },
        },
      },
      ...(names === 'beside' ? namesBeside(ends, { width, height, domain: chart.y.domain }) : []),
    ],
  });
}

/** The height of a name beside a plot. */
const lineOfName = 15;

/** Each line's name beside its end, right of the plot. Names that would overlap move apart. */
function namesBeside(
  ends: readonly Level[],
  plot: { readonly width: number; readonly height: number; readonly domain: readonly [number, number] },
) {
  const [low, high] = plot.domain;
  const wanted = ends.map(({ y }) => plot.height * (1 - (y - low) / (high - low)));
  const places = spread(wanted, lineOfName, plot.height);
  return writtenNames(
    ends.map(({ name, style: { colour } }, index) => ({
      name,
      colour,
      x: plot.width + 12,
      y: places[index] ?? 0,
      align: 'left',
    })),
  );
}

/** Two columns where there is room for them, else one. A name has its mark before it. */
function legendColumns(drawn: readonly (Line | Level)[], width: number): number {
  return 2 * (36 + widthOf(drawn.map(({ name }) => name))) <= width - 44 ? 2 : 1;
}

/** How lines look, and where their points are on the axes. */
function encodings(
  { x, y, names, width: whole }: LineChart,
  lines: readonly Line[],
  drawn: readonly (Line | Level)[],
  width: number,
) {
  const domain = drawn.map(({ name }) => name);
  const legend =
    names === 'below'
      ? ({ orient: 'bottom', columns: legendColumns(drawn, whole), offset: 10 } as const)
      : null;
  const name = { field: 'name', type: 'nominal' } as const;
  const of = <Value>(value: (style: MethodStyle) => Value) => ({
    ...name,
    scale: { domain, range: drawn.map(({ style }) => value(style)) },
    legend,
  });
  // The lines' points are side by side at each place, so that their bars do not hide each other.
  const aside = Math.min(
    4.5 * (lines.length - 1) * Math.min(1, 4 / lines.length),
    width / x.labels.length / 3,
  );
  const offsets: number[] = [-aside, aside];
  const labels = [...x.labels];
  const yDomain: number[] = [...y.domain];
  return {
    colour: of(({ colour }) => colour),
    mark: {
      shape: of(({ shape }) => shape),
      dash: of(({ dash }) => [...dash, ...(dash.length ? [] : [1, 0])]),
    },
    place: {
      x: {
        field: 'x',
        type: 'ordinal',
        sort: null,
        axis: { title: x.title, labelAngle: 0, labelOverlap: true, grid: false, labelPadding: 10 },
        // Given here, because the layer of the line leaves out points.
        scale: { type: 'point', padding: 0.35, domain: labels },
      },
      xOffset: { ...name, sort: null, scale: { domain: lines.map((line) => line.name), range: offsets } },
    } as const,
    yPlace: {
      field: 'y',
      type: 'quantitative',
      scale: { domain: yDomain, nice: false, zero: false },
      axis: { title: y.title, tickCount: 6 },
    } as const,
  };
}

/**
 * Places for labels of one column, in the given order: each as near to its wanted place as possible, and none nearer than `gap` to another.
 *
 * @param wanted from the top, in pixels
 * @param bottom no label goes below it as long as there is room above
 */
export function spread(wanted: readonly number[], gap: number, bottom: number): number[] {
  const order = wanted.map((_, index) => index).toSorted((a, b) => (wanted[a] ?? 0) - (wanted[b] ?? 0));
  const places = wanted.map(Number);
  let free = Number.NEGATIVE_INFINITY;
  for (const index of order) {
    const place = Math.max(places[index] ?? 0, free);
    places[index] = place;
    free = place + gap;
  }
  // Labels that were pushed below the bottom go up again, and push the others.
  let limit = bottom;
  for (const index of order.toReversed()) {
    const place = Math.min(places[index] ?? 0, limit);
    places[index] = place;
    limit = place - gap;
  }
  return places;
}
