/** @jsxRuntime automatic @jsxImportSource preact */
import { HtmlTable } from '../../tables/html-table.tsx';
import type { Table } from '../../tables/table.ts';

/** More rows than this are folded away. */
const most = 14;

export function Tables({ tables }: { tables: readonly Table[] }) {
  return (
    <>
      {tables.map((table) =>
        table.rows.length <= most ? (
          <HtmlTable table={table} />
        ) : (
          <details class="more">
            <summary>
              {table.caption}: {table.rows.length} rows
            </summary>
            <HtmlTable table={table} />
          </details>
        ),
      )}
    </>
  );
}
