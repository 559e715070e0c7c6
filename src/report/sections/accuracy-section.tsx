/** @jsxRuntime automatic @jsxImportSource preact */
import type { Accuracy } from '../../algorithm/measures/answers.ts';
import type { Evaluation } from '../../algorithm/evaluation.ts';
import { evaluationName, percent, points, pValue } from '../format.ts';

const methods = [
  { key: 'single', name: 'Single answer', mark: '●' },
  { key: 'majority', name: 'Majority vote', mark: '■' },
  { key: 'debate', name: 'Debate', mark: '◆' },
] as const;

/** The three accuracies at the end, each with where it began. */
export function Tiles({ evaluations }: { evaluations: readonly Evaluation[] }) {
  const base = evaluations[0];
  const last = evaluations.at(-1);
  if (base === undefined || last === undefined) return null;
  return (
    <div class="tiles">
      {methods.map(({ key, name }) => (
        <div class="tile" style={{ '--tone': `var(--${key})` }}>
          <div class="name">{name}</div>
          <div class="figure">
            {percent(last[key].accuracy)} <small>± {(last[key].standardError * 100).toFixed(1)}</small>
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

/** A chart of accuracies, drawn for wide and for narrow screens, with its legend. */
export function ChartCard({ wide, narrow, label }: { wide: string; narrow: string; label: string }) {
  return (
    <div class="card chart" role="img" aria-label={label}>
      <div class="legend">
        {methods.map(({ key, name, mark }) => (
          <span>
            <b style={{ color: `var(--${key})` }}>{mark}</b> {name.toLowerCase()}
          </span>
        ))}
      </div>
      <div class="wide" dangerouslySetInnerHTML={{ __html: wide }} />
      <div class="narrow" dangerouslySetInnerHTML={{ __html: narrow }} />
    </div>
  );
}

/** Accuracy over the iterations, as a chart and as figures, with the paired tests. */
export function AccuracySection({
  evaluations,
  wideChart,
  narrowChart,
}: {
  evaluations: readonly Evaluation[];
  wideChart: string;
  narrowChart: string;
}) {
  return (
    <section>
      <h2>Accuracy</h2>
      <p class="note">
        Share of held-out questions answered correctly; bars and ± are one standard error. Single answer: the
        mean over the agents’ first answers. Majority: the vote over them. Debate: the vote after the last
        round. The chart’s axis need not begin at zero.
      </p>
      <ChartCard
        wide={wideChart}
        narrow={narrowChart}
        label="Accuracy over the iterations; the table below has the figures"
      />
      <div class="card scroll">
        <table>
          <thead>
            <tr>
              <th />
              {methods.map(({ name }) => (
                <th>{name}</th>
              ))}
              <th>
                Debate against
                <br />
                the base’s, points
              </th>
              <th>
                Questions
                <br />
                won : lost
              </th>
              <th>
                p (McNemar,
                <br />
                exact)
              </th>
            </tr>
          </thead>
          <tbody>
            {evaluations.map((evaluation) => (
              <tr>
                <th>{evaluationName(evaluation.iteration)}</th>
                {methods.map(({ key }) => (
                  <td>
                    <WithError value={evaluation[key]} />
                  </td>
                ))}
                <PairedCells evaluation={evaluation} base={evaluations[0]} />
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function PairedCells({ evaluation, base }: { evaluation: Evaluation; base: Evaluation | undefined }) {
  if (evaluation.iteration === 0 || base === undefined) {
    return (
      <>
        <td>–</td>
        <td>–</td>
        <td>–</td>
      </>
    );
  }
  const { wins, losses, pValue: p } = evaluation.debateVersusBase;
  return (
    <>
      <td>
        <Gain difference={evaluation.debate.accuracy - base.debate.accuracy} />
      </td>
      <td>{`${wins} : ${losses}`}</td>
      <td>{pValue(p)}</td>
    </>
  );
}

export function WithError({ value }: { value: Accuracy }) {
  return (
    <>
      {percent(value.accuracy)} <span class="se">± {(value.standardError * 100).toFixed(1)}</span>
    </>
  );
}

export function Gain({ difference }: { difference: number }) {
  return <span class={difference < 0 ? 'down' : 'up'}>{points(difference)}</span>;
}
