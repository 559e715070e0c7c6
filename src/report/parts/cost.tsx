/** @jsxRuntime automatic @jsxImportSource preact */
import type { ExperimentResult } from '../../store/records/result.ts';
import { count, duration } from '../../text/figures.ts';
import { Heading } from './page.tsx';

/** How the time and the tokens were spent. */
export function CostSection({ tokens, seconds }: Pick<ExperimentResult, 'tokens' | 'seconds'>) {
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
      <Heading title="What it took" />
      <div class="columns">
        <div class="card">
          <h3>Time, {duration(seconds.total)} in all</h3>
          <Bars rows={phases} text={duration} />
        </div>
        <div class="card">
          <h3>Tokens, {count(used.reduce((sum, { value }) => sum + value, 0))} in all</h3>
          <Bars rows={used} text={count} />
        </div>
      </div>
    </section>
  );
}

type BarsProps = { rows: readonly { name: string; value: number }[]; text: (value: number) => string };

function Bars({ rows, text }: BarsProps) {
  const most = Math.max(...rows.map(({ value }) => value), Number.MIN_VALUE);
  return (
    <table>
      <tbody>
        {rows.map(({ name, value }) => (
          <tr>
            <th>{name}</th>
            <td>{text(value)}</td>
            <td class="bar">
              <i style={{ width: `${((value / most) * 100).toFixed(1)}%` }} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
