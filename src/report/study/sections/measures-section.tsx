/** @jsxRuntime automatic @jsxImportSource preact */
import type { Table } from '../../tables/table.ts';
import type { Drawn, DrawnCharts } from '../drawn-charts.ts';
import type { StudyTables } from '../tables/study-tables.ts';
import { ChartCard } from './chart-card.tsx';
import { Tables } from './tables.tsx';

/** What is measured beside accuracy: diversity, flips, cost, datasets, transfer. Sections with nothing in them are left out. */
export function MeasuresSection({
  charts: { columns, transfer },
  tables,
}: {
  charts: DrawnCharts;
  tables: StudyTables;
}) {
  const several = columns.length > 1;
  const of = (drawn: (column: (typeof columns)[number]) => readonly (Drawn | null)[]) =>
    columns.map((column) => ({
      column: column.column,
      charts: drawn(column).filter((each) => each !== null),
    }));
  return (
    <>
      <Measure
        title="Diversity"
        note="How different the agents’ first answers to the same question are. In the paper it falls more slowly for agents with models of their own than for copies of one."
        charts={of(({ diversity }) => diversity)}
        tables={tables.diversity}
        absent="Diversity was not measured in this study."
        several={several}
      />
      <Measure
        title="Flips and agreement"
        note="What agents did with their answers in the last round, after the last iteration."
        charts={of(({ flips }) => [flips])}
        tables={tables.flips}
        several={several}
      />
      <Measure
        title="Cost against accuracy"
        note="All tokens that a method took, and the accuracy that it came to. The line joins those than which none is better for less."
        charts={of(({ cost }) => [cost])}
        tables={tables.cost}
        several={several}
      />
      <Measure title="What was learnt from" charts={[]} tables={tables.datasets} several={several} />
      <Measure
        title="Transfer"
        charts={[{ column: '', charts: transfer === null ? [] : [transfer] }]}
        tables={tables.transfer}
        several={false}
      />
    </>
  );
}

type MeasureProps = {
  title: string;
  note?: string;
  charts: readonly { readonly column: string; readonly charts: readonly Drawn[] }[];
  tables: readonly Table[];
  /** What is said when there is nothing; otherwise the section is left out. */
  absent?: string;
  several: boolean;
};

function Measure({ title, note, charts, tables, absent, several }: MeasureProps) {
  const drawn = charts.filter((each) => each.charts.length > 0);
  const nothing = drawn.length === 0 && tables.length === 0;
  if (nothing && absent === undefined) return null;
  return (
    <section>
      <h2>{title}</h2>
      {nothing ? <p>{absent}</p> : note !== undefined && <p class="note">{note}</p>}
      {drawn.map((each) => (
        <>
          {several && <h3>{each.column}</h3>}
          {each.charts.map((chart) => (
            <ChartCard chart={chart} label={`${title}; the table below has the figures`} />
          ))}
        </>
      ))}
      <Tables tables={tables} />
    </section>
  );
}
