import Table from 'cli-table3';

/** A table for a terminal; the first column to the left, figures to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const drawn = new Table({
    head: [...head],
    colAligns: head.map((_, index) => (index === 0 ? 'left' : 'right')),
    style: { head: [], border: [] },
  });
  for (const row of rows) drawn.push([...row]);
  return drawn.toString();
}
