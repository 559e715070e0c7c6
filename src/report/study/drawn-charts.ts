import type { Draw, StudyCharts } from './study-charts.ts';

/** A chart for wide and for narrow screens: on a telephone the letters of one that shrinks would be too small to read. */
export type Drawn = { readonly wide: string; readonly narrow: string };

export type DrawnColumn = {
  readonly column: string;
  readonly accuracy: Drawn;
  readonly diversity: readonly Drawn[];
  readonly flips: Drawn | null;
  readonly cost: Drawn | null;
};
export type DrawnCharts = { readonly columns: readonly DrawnColumn[]; readonly transfer: Drawn | null };

export async function drawnCharts({ columns, transfer }: StudyCharts): Promise<DrawnCharts> {
  const drawn: DrawnColumn[] = [];
  for (const { column, accuracy, diversity, flips, cost } of columns) {
    drawn.push({
      column,
      accuracy: await both(accuracy),
      diversity: await Promise.all(diversity.map(({ draw }) => both(draw))),
      flips: await ifAny(flips),
      cost: await ifAny(cost),
    });
  }
  return { columns: drawn, transfer: await ifAny(transfer) };
}

async function both(draw: Draw): Promise<Drawn> {
  return { wide: await draw(880), narrow: await draw(340) };
}

async function ifAny(draw: Draw | null): Promise<Drawn | null> {
  return draw === null ? null : both(draw);
}
