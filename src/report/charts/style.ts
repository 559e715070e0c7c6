import type { TopLevelSpec } from 'vega-lite';

type LayeredSpec = Extract<TopLevelSpec, { layer: unknown }>;

/** A chart as SVG at any width, in CSS pixels of the whole picture. */
export type Draw = (width: number) => Promise<string>;

/** A chart for wide and for narrow screens: if one drawing shrank, its letters would be too small to read on a telephone. */
export type Drawn = { readonly wide: string; readonly narrow: string };

export async function drawTwice(chart: Draw): Promise<Drawn> {
  return { wide: await chart(880), narrow: await chart(340) };
}

/** What differs between charts. Sizes are CSS pixels; `width` and `height` are those of the plot within its padding. */
export type ChartSpec = Pick<LayeredSpec, 'data' | 'encoding' | 'layer' | 'resolve'> & {
  readonly width: number;
  readonly height: number;
  readonly padding: Padding;
};
export type Padding = {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
};

/** Draws a chart as SVG, without a browser. Colours are CSS variables, so that it follows the page's light and dark modes. */
export async function draw(chart: ChartSpec): Promise<string> {
  // Only now: loading the two takes 0.6 s of CPU, and most workers never draw.
  const [{ parse, View }, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  const spec: LayeredSpec = {
    ...chart,
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    // The padding is given, so that places in the plot are known before it is drawn.
    autosize: { type: 'none' },
    background: 'transparent',
    config: {
      font: 'inherit',
      view: { stroke: null },
      text: { fill: 'var(--ink)', fontSize: 12 },
      axis: {
        labelColor: 'var(--muted)',
        titleColor: 'var(--muted)',
        gridColor: 'var(--rule)',
        labelFontSize: 12,
        titleFontSize: 12,
        titleFontWeight: 'normal',
        domain: false,
        ticks: false,
      },
      // Above the axis and not along it, so that it is read without turning the head and may be long.
      axisYQuantitative: { titleAngle: 0, titleAlign: 'left', titleAnchor: 'end', titleX: -34, titleY: -20 },
      legend: { labelColor: 'var(--ink)', labelFontSize: 12, labelLimit: 0, title: null },
    },
  };
  return new View(parse(compile(spec).spec), { renderer: 'none' }).toSVG();
}

/** An axis over whole tens around the values, in per cent. It need not begin at zero: the marks are positions, not lengths. */
export function percentAxis(
  title: string,
  values: readonly number[],
): { readonly title: string; readonly domain: readonly [number, number] } {
  const known = values.filter(Number.isFinite);
  const low = Math.max(0, Math.floor((Math.min(...known, 100) - 2) / 10) * 10);
  const high = Math.min(100, Math.ceil((Math.max(...known, low) + 2) / 10) * 10);
  return { title, domain: [low, Math.max(high, low + 10)] };
}

/** A name in a chart, in pixels from the upper left corner of its plot; it may be outside. */
export type WrittenName = {
  readonly name: string;
  /** CSS. */
  readonly colour: string;
  readonly x: number;
  readonly y: number;
  readonly align: 'left' | 'center' | 'right';
};

/** Layers of a chart that write names at given places. */
export function writtenNames(names: readonly WrittenName[]): ChartSpec['layer'] {
  return names.map(({ name, colour, x, y, align }) => ({
    data: { values: [{ name }] },
    mark: { type: 'text', align, baseline: 'middle', fontWeight: 600 },
    encoding: {
      x: { value: x },
      y: { value: y },
      text: { field: 'name', type: 'nominal' },
      color: { value: colour },
    },
  }));
}

/** The approximate width of the longest of some names, in pixels. */
export function widthOf(names: readonly string[]): number {
  return Math.ceil(6.8 * Math.max(0, ...names.map(({ length }) => length)));
}

/** How a method looks in every chart: a colour, and a mark and a dash for readers who cannot tell colours apart. */
export type MethodStyle = {
  /** A CSS colour, mostly a variable of base.css. */
  readonly colour: string;
  /** One of Vega's symbols. */
  readonly shape: string;
  /** Lengths of strokes and gaps; none for a whole line. */
  readonly dash: readonly number[];
};

/**
 * The style of each method, in the order of the names. The project's own methods look the same in every study; other names take the styles
 * that are left, in order.
 */
export function methodStyles(names: readonly string[]): MethodStyle[] {
  const free = styles.filter((_, place) => !names.some((name) => known.indexOf(name) === place));
  return names.map((name) => styles[known.indexOf(name)] ?? free.shift() ?? overflow);
}

/** In the order of the list of styles: the methods that are compared most have the clearest colours. */
const known: readonly string[] = [
  'multiagent-ft',
  'majority-ft',
  'star',
  'debate',
  'majority',
  'base',
  'single-agent',
  'no-critic',
  'no-summary',
  'single-agent-no-debate',
  'cooperative',
  'unique-id',
];

const shapes = [
  'circle',
  'square',
  'diamond',
  'triangle-up',
  'cross',
  'triangle-down',
  'triangle-right',
  'triangle-left',
];
const dashes = [[], [5, 3], [1, 3]];
/** Eight colours that differ with any colour vision, the same eight dashed, and dotted. */
const styles: readonly MethodStyle[] = Array.from({ length: 24 }, (_, place) => ({
  colour: `var(--method-${(place % 8) + 1})`,
  shape: shapes[(place + Math.floor(place / 8)) % shapes.length] ?? 'circle',
  dash: dashes[Math.floor(place / 8)] ?? [],
}));
const overflow: MethodStyle = { colour: 'var(--muted)', shape: 'circle', dash: [1, 3] };
