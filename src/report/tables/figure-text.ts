import type { Column, Figure } from './table.ts';

/** The parts of a figure as people read them, with a true minus sign; null where there is none. */
export type FigureText = {
  readonly value: string;
  readonly error: string | null;
  readonly mark: string | null;
  readonly published: string | null;
};

export function figureText({ value, error, mark, published }: Figure, { decimals }: Column): FigureText {
  const said = (number: number) =>
    number
      .toFixed(decimals)
      .replace(/^-(?=0(\.0*)?$)/, '')
      .replace('-', '−');
  const saidError = (number: number | null) => (number === null ? null : said(number));
  const ours = published === null ? null : saidError(published.error);
  return {
    value: said(value),
    error: saidError(error),
    mark,
    published: published === null ? null : said(published.value) + (ours === null ? '' : ` ± ${ours}`),
  };
}

/** The head of a column: its title, with the unit that its figures are in. */
export function columnHead({ title, unit }: Column): string {
  return unit === null ? title : `${title}, ${unit}`;
}
