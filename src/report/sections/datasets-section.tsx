/** @jsxRuntime automatic @jsxImportSource preact */
import type { ExperimentResult } from '../../store/experiment-result.ts';
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
              </tr>
            ))}
          </tbody>
        </table>
      </div>

      <h2>What each agent learnt from</h2>
      <p class="note">
        Rows. Generation: first answers that equal the consensus. Critic: dialogues that end in it;{' '}
        <em>corrected</em> had begun with another answer, <em>kept</em> with the same. “12 of 40” = 12 used of
        40 there were.
      </p>
      <div class="card scroll">
        <table>
          <thead>
            <tr>
              <th>Iteration</th>
              <th>Agent</th>
              <th>Generation</th>
              <th>Critic</th>
              <th>of it corrected</th>
              <th>of it kept</th>
              <th>Last loss, generation</th>
              <th>Last loss, critic</th>
            </tr>
          </thead>
          <tbody>{iterations.flatMap(agentRows)}</tbody>
        </table>
      </div>
    </section>
  );
}

function agentRows({ iteration, datasets, fineTunes }: Iteration) {
  return datasets.map((dataset, index) => (
    <tr>
      <th>{index === 0 ? iteration : ''}</th>
      <td>{dataset.agent}</td>
      <td>{count(dataset.generation)}</td>
      <td>{count(dataset.critic)}</td>
      <td>{`${count(dataset.corrected.used)} of ${count(dataset.corrected.available)}`}</td>
      <td>{`${count(dataset.kept.used)} of ${count(dataset.kept.available)}`}</td>
      <td>{lastLoss(fineTunes, dataset.agent, 'generation')}</td>
      <td>{lastLoss(fineTunes, dataset.agent, 'critic')}</td>
    </tr>
  ));
}

function lastLoss(fineTunes: Iteration['fineTunes'], agent: number, role: 'generation' | 'critic'): string {
  const fineTune = fineTunes.find((each) => each.agent === agent && each.role === role);
  if (fineTune === undefined) return '–';
  return fineTune.model === null ? 'not trained' : (fineTune.finalLoss?.toFixed(3) ?? '–');
}
