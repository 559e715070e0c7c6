/** @jsxRuntime automatic @jsxImportSource preact */
import { objectives } from '../../algorithm/objectives.ts';
import type { ExperimentResult } from '../../store/records/result.ts';
import { count, pValue } from '../../text/figures.ts';
import { Gain, WithInterval } from '../parts/accuracy.tsx';
import { Heading } from '../parts/page.tsx';
import { Grid } from '../tables/html-table.tsx';
import { lossText, movedText, partsText } from './training-sections.tsx';

type DistilledProps = {
  distilled: NonNullable<ExperimentResult['distilled']>;
  evaluations: ExperimentResult['evaluations'];
};

/** One model out of the group, beside the group: how right, for how many tokens. */
export function DistilledSection({ distilled, evaluations }: DistilledProps) {
  const { dataset, fineTune, evaluation, iteration } = distilled;
  const base = evaluations[0];
  const group = evaluations.find((each) => each.iteration === iteration);
  const learnt = objectives[dataset.objective ?? 'imitation'].title;
  return (
    <section>
      <Heading title="One model" />
      <p class="note">
        {whatItLearnt(distilled)} It started at the base model and answers each held-out question once, alone.
        Tokens: read and written, for one question.
      </p>
      {evaluation === null ? (
        <p class="card">There is no such model: there was nothing to learn from.</p>
      ) : (
        <Grid
          head={[
            'Answers',
            'Right',
            'Tokens a question',
            'Against the debate, points',
            'Questions won : lost',
            'p (McNemar, exact)',
          ]}
          rows={[
            [
              'One model',
              <WithInterval value={evaluation.accuracy} questions={evaluation.questions} />,
              perQuestion(evaluation.tokens, evaluation.questions),
              <Gain difference={evaluation.accuracy.accuracy - evaluation.debate.accuracy} />,
              `${evaluation.versusDebate.wins} : ${evaluation.versusDebate.losses}`,
              pValue(evaluation.versusDebate.pValue),
            ],
            [
              'The group’s debate',
              <WithInterval value={evaluation.debate} questions={evaluation.questions} />,
              perQuestion(evaluation.debateTokens, evaluation.questions),
              '–',
              '–',
              '–',
            ],
            ...(group === undefined ? [] : [alone('One answer of the group, mean over agents', group)]),
            ...(base === undefined ? [] : [alone('One answer of the base model', base)]),
          ]}
        />
      )}
      <Grid
        head={['Rows', 'Of which', 'By', 'Steps', 'Learning rate', 'Last loss', 'Moved']}
        rows={[
          [
            count(dataset.rows),
            partsText(dataset.parts),
            learnt,
            count(fineTune.steps),
            fineTune.peakLearningRate?.toPrecision(2) ?? '–',
            lossText(fineTune),
            movedText(fineTune.moved),
          ],
        ]}
      />
    </section>
  );
}

function whatItLearnt({ from, agreed, labelled, iteration, dataset }: DistilledProps['distilled']): string {
  const [best = 0] = dataset.agents;
  const whose =
    from === 'debate'
      ? 'the answers of all agents'
      : `the answers of agent ${best}, whose first answers equal the consensus most often (${count(agreed[best - 1] ?? 0)} of ${count(labelled)} training questions)`;
  const what =
    dataset.objective === undefined
      ? 'first answers that equal the consensus, and where only the last one does, that one (corrected)'
      : 'pairs of first answers, of which one equals the consensus and the other does not';
  return `It learnt from ${whose} in the training debates of iteration ${iteration}: ${what}.`;
}

function alone(name: string, { single, questions }: ExperimentResult['evaluations'][number]) {
  return [name, <WithInterval value={single} questions={questions} />, '–', '–', '–', '–'];
}

function perQuestion(tokens: { prompt: number; completion: number }, questions: number): string {
  return count((tokens.prompt + tokens.completion) / Math.max(1, questions));
}
