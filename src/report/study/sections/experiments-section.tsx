/** @jsxRuntime automatic @jsxImportSource preact */
import { methods } from '../../../algorithm/methods/methods.ts';
import { duration } from '../../format.ts';
import type { Column } from '../analyse-study.ts';
import type { Pages } from '../study-page.tsx';

/** Each experiment with its own report and its debates: a row for each method, a column for each seed. */
export function ExperimentsSection({ columns, pages }: { columns: readonly Column[]; pages: Pages }) {
  return (
    <section>
      {columns.length > 0 && <h2>The experiments</h2>}
      {columns.map((column) => (
        <div class="card scroll">
          <table>
            <caption>{column.name}</caption>
            <thead>
              <tr>
                <th>Method</th>
                {seedsOf(column).map((seed) => (
                  <th>Seed {seed}</th>
                ))}
              </tr>
            </thead>
            <tbody>
              {methodsOf(column).map((method) => (
                <tr>
                  <th>{methods[method].title}</th>
                  {seedsOf(column).map((seed) => (
                    <td>
                      <Experiment
                        experiment={column.experiments.find(
                          (each) => each.method === method && each.seed === seed,
                        )}
                        pages={pages}
                      />
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ))}
    </section>
  );
}

function Experiment({
  experiment,
  pages,
}: {
  experiment: Column['experiments'][number] | undefined;
  pages: Pages;
}) {
  if (experiment === undefined) return <>–</>;
  const { report, debates } = pages.get(experiment.name) ?? { report: null, debates: null };
  return (
    <>
      {report !== null && (
        <>
          <a href={report}>report</a>{' '}
        </>
      )}
      {debates !== null && (
        <>
          <a href={debates}>debates</a>{' '}
        </>
      )}
      <span class="se">{duration(experiment.result.seconds.total)}</span>
    </>
  );
}

function seedsOf({ experiments }: Column): number[] {
  return [...new Set(experiments.map(({ seed }) => seed))];
}

function methodsOf({ experiments }: Column) {
  return [...new Set(experiments.map(({ method }) => method))];
}
