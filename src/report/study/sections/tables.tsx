/** @jsxRuntime automatic @jsxImportSource preact */
import { HtmlTable } from '../../tables/html-table.tsx';
import type { Table } from '../../tables/table.ts';

/** More rows than this are folded away. */
const most = 14;

/** Tables one below the other; narrow ones beside each other. A note that stands below the last of them with the same is not said twice. */
export function Tables({ tables }: { tables: readonly Table[] }) {
  const narrow =
    tables.length > 1 && tables.every(({ columns, rows }) => columns.length < 4 && rows.length <= most);
  return (
    <div class={narrow ? 'columns' : ''}>
      {tables.map((table, index) => {
        const later = tables.slice(index + 1).flatMap(({ notes }) => notes);
        const told = { ...table, notes: table.notes.filter((note) => !later.includes(note)) };
        return table.rows.length <= most ? (
          <HtmlTable table={told} />
        ) : (
          <details class="more">
            <summary>
              {table.caption}: {table.rows.length} rows
            </summary>
            <HtmlTable table={{ ...told, notes: table.notes }} />
          </details>
        );
      })}
    </div>
  );
}
