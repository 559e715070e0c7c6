/** @jsxRuntime automatic @jsxImportSource preact */
/** How do figures stand on a page: in grids, in tables, in tiles, with their intervals? */
import type { ComponentChildren } from 'preact';
import type { Evaluation } from '../../algorithm/evaluation.ts';
import { type Accuracy, accuracyInterval } from '../../algorithm/measures/answers.ts';
import { interval95, percent, points } from '../../text/figures.ts';
import { type Cell, type Column, columnHead, figureText, type Table } from '../tables/table.ts';

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

/** The three ways of answering that are evaluated after every iteration. */
export const ways = [
  { key: 'single', name: 'Single answer', mark: '●' },
  { key: 'majority', name: 'Majority vote', mark: '■' },
  { key: 'debate', name: 'Debate', mark: '◆' },
] as const;

/** The three accuracies at the end, each with where it began. */
export function Tiles({ evaluations }: { evaluations: readonly Evaluation[] }) {
  const [base, last] = [evaluations[0], evaluations.at(-1)];
  if (base === undefined || last === undefined) return null;
  return (
    <div class="tiles">
      {ways.map(({ key, name }) => (
        <div class="tile" style={{ '--tone': `var(--${key})` }}>
          <div class="name">{name}</div>
          <div class="figure">
            {percent(last[key].accuracy)}{' '}
            <small>{interval95(accuracyInterval(last[key], last.questions))}</small>
          </div>
          <div class="detail">
            {last.iteration === 0 ? (
              'base model'
            ) : (
              <>
                base {percent(base[key].accuracy)},{' '}
                <Gain difference={last[key].accuracy - base[key].accuracy} /> points
              </>
            )}
          </div>
        </div>
      ))}
    </div>
  );
}

/** The marks of the three ways in a chart. */
export function WaysLegend() {
  return (
    <div class="legend">
      {ways.map(({ key, name, mark }) => (
        <span>
          <b style={{ color: `var(--${key})` }}>{mark}</b> {name.toLowerCase()}
        </span>
      ))}
    </div>
  );
}

/** The accuracies of an evaluation as cells of a table, in the order of `ways`. */
export function accuracyCells(evaluation: Evaluation) {
  return ways.map(({ key }) => <WithInterval value={evaluation[key]} questions={evaluation.questions} />);
}

/** An accuracy with its 95 % interval. */
export function WithInterval({ value, questions }: { value: Accuracy; questions: number }) {
  return (
    <>
      {percent(value.accuracy)} <span class="se">{interval95(accuracyInterval(value, questions))}</span>
    </>
  );
}

/** A difference in points, coloured by its sign. */
export function Gain({ difference }: { difference: number }) {
  return <span class={difference < 0 ? 'down' : 'up'}>{points(difference)}</span>;
}
