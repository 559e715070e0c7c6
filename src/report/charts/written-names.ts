import type { ChartSpec } from './draw.ts';

/** A name in a chart, in pixels from the upper left corner of its plot; it may stand outside. */
export type WrittenName = {
  readonly name: string;
  /** CSS. */
  readonly colour: string;
  readonly x: number;
  readonly y: number;
  readonly align: 'left' | 'center' | 'right';
};

/** Layers of a chart that write names where they are told. */
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

/** About how many pixels the longest of some names takes. */
export function widthOf(names: readonly string[]): number {
  return Math.ceil(6.8 * Math.max(0, ...names.map(({ length }) => length)));
}
