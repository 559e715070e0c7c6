/** @jsxRuntime automatic @jsxImportSource preact */
import { duration } from '../../format.ts';
import type { Column } from '../analyse-study.ts';
import type { Pages } from '../study-page.tsx';

/** A line for each experiment, with its own report and its debates. */
export function ExperimentsSection({ columns, pages }: { columns: readonly Column[]; pages: Pages }) {
  return (
    <section>
      <h2>The experiments</h2>
      <ul class="runs">
        {columns.flatMap(({ experiments }) =>
          experiments.map(({ name, result }) => {
            const { report, debates } = pages.get(name) ?? { report: null, debates: null };
            return (
              <li>
                {name}, {duration(result.seconds.total)}
                {report !== null && (
                  <>
                    {' · '}
                    <a href={report}>report</a>
                  </>
                )}
                {debates !== null && (
                  <>
                    {' · '}
                    <a href={debates}>debates</a>
                  </>
                )}
              </li>
            );
          }),
        )}
      </ul>
    </section>
  );
}
