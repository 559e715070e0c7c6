/** @jsxRuntime automatic @jsxImportSource preact */
import type { Evaluation } from '../../algorithm/evaluation.ts';
import type { Accuracy } from '../../algorithm/measures/answers.ts';
import { errorInPoints, percent, points } from '../../text/figures.ts';

/** The three ways of answering that are evaluated after every iteration. */
export const ways = [
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
      {ways.map(({ key, name }) => (
        <div class="tile" style={{ '--tone': `var(--${key})` }}>
          <div class="name">{name}</div>
          <div class="figure">
            {percent(last[key].accuracy)} <small>± {errorInPoints(last[key].standardError)}</small>
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
  return ways.map(({ key }) => <WithError value={evaluation[key]} />);
}

/** An accuracy in per cent with its standard error. */
export function WithError({ value: { accuracy, standardError } }: { value: Accuracy }) {
  return (
    <>
      {percent(accuracy)} <span class="se">± {errorInPoints(standardError)}</span>
    </>
  );
}

/** A difference in points, coloured by its sign. */
export function Gain({ difference }: { difference: number }) {
  return <span class={difference < 0 ? 'down' : 'up'}>{points(difference)}</span>;
}
