import type { TopLevelSpec } from 'vega-lite';

type LayeredSpec = Extract<TopLevelSpec, { layer: unknown }>;

/** What is a chart's own. Sizes are CSS pixels; `width` and `height` are those of the plot within its padding. */
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

/** Draws a chart as SVG, without a browser. Colours are CSS variables, so that the page's light and dark modes hold for it. */
export async function draw(chart: ChartSpec): Promise<string> {
  const spec: LayeredSpec = {
    ...chart,
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    // The padding is ours to choose, so that places in the plot are known before it is drawn.
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
      // Above the axis and not along it: it is read without turning the head, and may be long.
      axisYQuantitative: { titleAngle: 0, titleAlign: 'left', titleAnchor: 'end', titleX: -34, titleY: -20 },
      legend: { labelColor: 'var(--ink)', labelFontSize: 12, labelLimit: 0, title: null },
    },
  };
  // A third of a second to load: only who draws waits for them.
  const [{ parse, View }, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  return new View(parse(compile(spec).spec), { renderer: 'none' }).toSVG();
}
