import type { WrittenName } from './written-names.ts';

/** A mark in a plot, in pixels from its upper left corner. */
export type NamedMark = { readonly name: string; readonly x: number; readonly y: number };
export type NamePlace = Omit<WrittenName, 'colour'>;

/**
 * Where to write the names of marks: above a mark and right of it, where no front runs, or else left, straight above, below, or further up
 * or down, whichever is the first place that is in the plot and covers no mark and no name before it; right of it when there is none.
 */
export function placeNames(
  marks: readonly NamedMark[],
  plot: { readonly width: number; readonly height: number },
): NamePlace[] {
  const taken: Box[] = marks.map(({ x, y }) => ({ left: x - 7, right: x + 7, top: y - 7, bottom: y + 7 }));
  return marks.map(({ name, x, y }) => {
    const candidates: NamePlace[] = [-14, 14, 0, -28, 28].flatMap((up): NamePlace[] => [
      { name, x: x + 11, y: y + up, align: 'left' },
      { name, x: x - 11, y: y + up, align: 'right' },
      ...(up === 0 ? [] : [{ name, x, y: y + 1.2 * up, align: 'center' as const }]),
    ]);
    const free = candidates.find((place) => {
      const box = boxOf(place);
      const inside = box.left >= 0 && box.right <= plot.width && box.top >= -8 && box.bottom <= plot.height;
      return inside && taken.every((other) => apart(box, other));
    });
    const place: NamePlace = free ?? { name, x: x + 11, y, align: 'left' };
    taken.push(boxOf(place));
    return place;
  });
}

type Box = { readonly left: number; readonly right: number; readonly top: number; readonly bottom: number };

function boxOf({ name, x, y, align }: NamePlace): Box {
  const width = 7 * name.length;
  const left = align === 'left' ? x : align === 'right' ? x - width : x - width / 2;
  return { left, right: left + width, top: y - 7, bottom: y + 7 };
}

function apart(a: Box, b: Box): boolean {
  return a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
}
