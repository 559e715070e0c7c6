/** The part of a long list that is looked at, in pixels. */
export type View = { readonly top: number; readonly height: number };

/** Of `count` rows of equal height, the first that has to be drawn and the one after the last: what is seen, and a few around it. */
export function visibleRows(count: number, rowHeight: number, { top, height }: View, spare = 6) {
  const from = Math.floor(top / rowHeight) - spare;
  const to = Math.ceil((top + height) / rowHeight) + spare;
  return { from: Math.max(0, Math.min(from, count)), to: Math.max(0, Math.min(to, count)) };
}

/** Where to scroll so that a row is seen whole; where the list is already, when it is. */
export function scrolledTo(row: number, rowHeight: number, { top, height }: View): number {
  const start = row * rowHeight;
  if (start < top) return start;
  return Math.max(top, start + rowHeight - height);
}
