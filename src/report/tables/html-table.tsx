/** @jsxRuntime automatic @jsxImportSource preact */
import { columnHead, figureText } from './figure-text.ts';
import type { Cell, Column, Table } from './table.ts';

/** A table in a report's page. A published figure stands below ours, with a sign that tells whether the two agree. */
export function HtmlTable({ table: { caption, columns, rows, notes } }: { table: Table }) {
  return (
    <figure class="table">
      <div class="card scroll">
        <table>
          <caption>{caption}</caption>
          <thead>
            <tr>
              {columns.map((column) => (
                <th scope="col">{columnHead(column)}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr>
                {columns.map((column, index) =>
                  index === 0 ? (
                    <th scope="row">
                      <CellText cell={row[index]} column={column} />
                    </th>
                  ) : (
                    <td>
                      <CellText cell={row[index]} column={column} />
                    </td>
                  ),
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
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
      {error !== null && <span class="se"> ± {error}</span>}
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
