/** @jsxRuntime automatic @jsxImportSource preact */
import type { DrawnCharts } from '../drawn-charts.ts';
import type { StudyTables } from '../tables/study-tables.ts';
import { ChartCard } from './chart-card.tsx';
import { Tables } from './tables.tsx';

/** Accuracy over the iterations of every method, and the paper's tables. */
export function AccuracySection({
  charts: { columns },
  tables,
}: {
  charts: DrawnCharts;
  tables: StudyTables;
}) {
  return (
    <>
      <section>
        <h2>Accuracy over iterations</h2>
        <p class="note">
          Each method by its own figure: one answer, the majority of first answers, or the consensus of the
          debate. Bars are 95 % intervals of the choice of questions; the axis need not begin at zero. What
          learns nothing is a level line.
        </p>
        {columns.map(({ column, accuracy }) => (
          <>
            {columns.length > 1 && <h3>{column}</h3>}
            <ChartCard
              chart={accuracy}
              label={`Accuracy over the iterations of ${column}; the table below has the figures`}
            />
          </>
        ))}
        <Tables tables={tables.iterations} />
      </section>
      <section>
        <h2>Tables</h2>
        <Tables tables={tables.accuracy} />
        <Tables tables={tables.comparisons} />
        {tables.gains.length > 0 && <h2>Do gains last?</h2>}
        <Tables tables={tables.gains} />
        {tables.equalTokens.length > 0 && <h2>Is a debate worth its tokens?</h2>}
        <Tables tables={tables.equalTokens} />
      </section>
    </>
  );
}
