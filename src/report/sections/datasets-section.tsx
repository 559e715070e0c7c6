/** @jsxRuntime automatic @jsxImportSource preact */
import type { ExperimentResult } from '../../store/records/result.ts';
import { count, percent } from '../format.ts';

type Iteration = ExperimentResult['iterations'][number];

/** What the training debates agreed on, what each agent was trained on, and how the fine-tunes ended. */
export function DatasetsSection({ iterations }: { iterations: readonly Iteration[] }) {
  if (iterations.length === 0) return null;
  return (
    <section>
      <h2>Debates on the training questions</h2>
      <p class="note">
        The consensus stands in for the answer key: no gold answer is used, unless the config says
        label_source: gold.
      </p>
      <div class="card scroll">
        <table>
          <thead>
            <tr>
              <th>Iteration</th>
              <th>Questions</th>
              <th>Unanimous</th>
              <th>Ties, drawn</th>
              <th>No consensus</th>
              <th>Answers not readable</th>
              <th>Prompts shortened</th>
            </tr>
          </thead>
          <tbody>
            {iterations.map(({ iteration, consensus }) => (
              <tr>
                <th>{iteration}</th>
                <td>{count(consensus.questions)}</td>
                <td>
                  {count(consensus.unanimous)}{' '}
                  <span class="se">{percent(consensus.unanimous / consensus.questions)}</span>
                </td>
                <td>{count(consensus.ties)}</td>
                <td>{count(consensus.withoutLabel)}</td>
                <td>{count(consensus.unparsableAnswers)}</td>
                <td>{count(consensus.truncatedPrompts)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>

      <h2>What each agent learnt from</h2>
      <p class="note">
        Rows. Generation: first answers that equal the label. Critic: dialogues that end in it;{' '}
        <em>corrected</em> had begun with another answer, <em>kept</em> with the same. “12 of 40” = 12 used of
        40 there were.
      </p>
      <div class="card scroll">
        <table>
          <thead>
            <tr>
              <th>Iteration</th>
              <th>Agents</th>
              <th>Model</th>
              <th>Rows</th>
              <th>Of which</th>
              <th>Last loss</th>
            </tr>
          </thead>
          <tbody>{iterations.flatMap(datasetRows)}</tbody>
        </table>
      </div>
    </section>
  );
}

function datasetRows({ iteration, datasets, fineTunes }: Iteration) {
  return datasets.map((dataset, index) => (
    <tr>
      <th>{index === 0 ? iteration : ''}</th>
      <td>{dataset.agents.join(', ')}</td>
      <td>{dataset.role}</td>
      <td>{count(dataset.rows)}</td>
      <td>{partsText(dataset.parts)}</td>
      <td>{lastLoss(fineTunes, dataset)}</td>
    </tr>
  ));
}

function partsText(parts: Iteration['datasets'][number]['parts']): string {
  return Object.entries(parts)
    .map(([name, { used, available }]) => `${name} ${count(used)} of ${count(available)}`)
    .join(', ');
}

function lastLoss(
  fineTunes: Iteration['fineTunes'],
  { agents, role }: Iteration['datasets'][number],
): string {
  const fineTune = fineTunes.find((each) => each.agent === agents[0] && each.role === role);
  if (fineTune === undefined) return '–';
  return fineTune.model === null ? 'not trained' : (fineTune.finalLoss?.toFixed(3) ?? '–');
}
