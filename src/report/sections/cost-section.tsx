/** @jsxRuntime automatic @jsxImportSource preact */
import type { ExperimentResult } from '../../store/records/result.ts';
import { count, duration } from '../format.ts';

/** Where the time and the tokens went. */
export function CostSection({
  tokens,
  seconds,
}: {
  tokens: ExperimentResult['tokens'];
  seconds: ExperimentResult['seconds'];
}) {
  const phases = [
    { name: 'Debates', value: seconds.debate },
    { name: 'Datasets', value: seconds.datasets },
    { name: 'Fine-tunes', value: seconds.fineTune },
    { name: 'Evaluation', value: seconds.evaluation },
  ];
  const used = [
    { name: 'Debates, read', value: tokens.debate.prompt },
    { name: 'Debates, written', value: tokens.debate.completion },
    { name: 'Evaluation, read', value: tokens.evaluation.prompt },
    { name: 'Evaluation, written', value: tokens.evaluation.completion },
    { name: 'Fine-tunes', value: tokens.fineTune },
  ];
  return (
    <section>
      <h2>What it took</h2>
      <div class="columns">
        <div class="card">
          <h3>Time, {duration(seconds.total)} in all</h3>
          <Bars rows={phases} say={duration} />
        </div>
        <div class="card">
          <h3>Tokens, {count(used.reduce((sum, { value }) => sum + value, 0))} in all</h3>
          <Bars rows={used} say={count} />
        </div>
      </div>
    </section>
  );
}

function Bars({
  rows,
  say,
}: {
  rows: readonly { name: string; value: number }[];
  say: (value: number) => string;
}) {
  const most = Math.max(...rows.map(({ value }) => value), Number.MIN_VALUE);
  return (
    <table>
      <tbody>
        {rows.map(({ name, value }) => (
          <tr>
            <th>{name}</th>
            <td>{say(value)}</td>
            <td class="bar">
              <i style={{ width: `${((value / most) * 100).toFixed(1)}%` }} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
