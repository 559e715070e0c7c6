/** @jsxRuntime automatic @jsxImportSource preact */
import type { ComponentChildren } from 'preact';
import { type Cell, type Column, columnHead, figureText, type Table } from './table.ts';

type GridProps = {
  caption?: string;
  head: readonly ComponentChildren[];
  rows: readonly (readonly ComponentChildren[])[];
};

/** Rows and columns of texts or elements. The first cell of a row is its head. Wide ones are scrolled, also by keyboard. */
export function Grid({ caption, head, rows }: GridProps) {
  return (
    <div class="card scroll" tabindex={0} role="group" aria-label={caption ?? 'Table'}>
      <table>
        {caption !== undefined && <caption>{caption}</caption>}
        <thead>
          <tr>
            {head.map((each) => (
              <th scope="col">{each}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(([first, ...others]) => (
            <tr>
              <th scope="row">{first}</th>
              {others.map((each) => (
                <td>{each}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** A table in a report's page, with its notes. A published figure is below ours, with a sign for whether the two agree. */
function HtmlTable({ table: { caption, columns, rows, notes } }: { table: Table }) {
  return (
    <figure class="table">
      <Grid
        caption={caption}
        head={columns.map(columnHead)}
        rows={rows.map((row) =>
          columns.map((column, index) => <CellText cell={row[index]} column={column} />),
        )}
      />
      {notes.map((note) => (
        <p class="note">{note}</p>
      ))}
    </figure>
  );
}

function CellText({ cell, column }: { cell: Cell | undefined; column: Column }) {
  if (cell === undefined || cell.kind === 'absent') return <>–</>;
  if (cell.kind === 'name') return <>{cell.text}</>;
  const { value, error, mark, published } = figureText(cell, column);
  const agrees = cell.published?.agrees === true;
  return (
    <>
      {value}
      {mark !== null && <sup>{mark}</sup>}
      {error !== null && <span class="se"> {error}</span>}
      {published !== null && (
        <div class="se">
          paper {published}{' '}
          <span role="img" aria-label={agrees ? 'agrees' : 'differs'}>
            {agrees ? '✓' : '✗'}
          </span>
        </div>
      )}
    </>
  );
}

/** More rows than this are folded away. */
const mostRows = 14;

/** Tables one below the other; narrow ones side by side. A note that a later table has too is printed once, below that one. */
export function Tables({ tables }: { tables: readonly Table[] }) {
  const narrow =
    tables.length > 1 && tables.every(({ columns, rows }) => columns.length < 4 && rows.length <= mostRows);
  return (
    <div class={narrow ? 'columns' : ''}>
      {tables.map((table, index) => {
        if (table.rows.length > mostRows)
          return (
            <details class="more">
              <summary>
                {table.caption}: {table.rows.length} rows
              </summary>
              <HtmlTable table={table} />
            </details>
          );
        const later = tables.slice(index + 1).flatMap(({ notes }) => notes);
        return <HtmlTable table={{ ...table, notes: table.notes.filter((note) => !later.includes(note)) }} />;
      })}
    </div>
  );
}
