/** @jsxRuntime automatic @jsxImportSource preact */
import { objectives } from '../../algorithm/objectives.ts';
import { didMove, leastMove } from '../../algorithm/training-steps.ts';
import type { ExperimentResult } from '../../store/records/result.ts';
import { count, percent, pValue } from '../../text/figures.ts';
import { Gain, WithInterval } from '../parts/accuracy.tsx';
import { ChartsSection, Heading } from '../parts/page.tsx';
import type { Drawn } from '../charts/style.ts';
import { Grid } from '../tables/html-table.tsx';

type Iteration = ExperimentResult['iterations'][number];
type FineTune = Iteration['fineTunes'][number];

/** What the training debates agreed on, what each agent was trained on, and how the fine-tunes ended. */
export function DatasetsSection({ iterations }: { iterations: readonly Iteration[] }) {
  return (
    <section>
      <Heading title="Debates on the training questions" />
      <p class="note">
        The consensus stands in for the answer key: no gold answer is used, unless the config has
        label_source: gold. Unanimous: all last answers are equal. Ties: several answers had the most votes,
        and a seeded draw chose the label among them. No consensus: no answer could be read, or the most
        frequent one had fewer votes than min_votes or more than max_votes; such a question is not learnt
        from.
      </p>
      <Grid
        head={[
          'Iteration',
          'Questions',
          'Unanimous',
          'Ties, drawn',
          'No consensus',
          'Answers not readable',
          'Prompts shortened',
          'Responses cut off',
        ]}
        rows={iterations.map(({ iteration, consensus, cutOff: { responses } }) => [
          iteration,
          count(consensus.questions),
          <>
            {count(consensus.unanimous)}{' '}
            <span class="se">{percent(consensus.unanimous / consensus.questions)}</span>
          </>,
          count(consensus.ties),
          count(consensus.withoutLabel),
          count(consensus.unparsableAnswers),
          count(consensus.truncatedPrompts),
          responses.share === null ? (
            '–'
          ) : (
            <>
              {count(responses.cut)} <span class="se">{percent(responses.share)}</span>
            </>
          ),
        ])}
      />

      <Heading title="What each agent learnt from" />
      <p class="note">
        Rows. Generation: first answers that equal the label. Critic: dialogues that end in it;{' '}
        <em>corrected</em> began with another answer, <em>kept</em> with the same. <em>pairs</em> are answers
        of which one equals the label and the other does not: DPO and KTO compare them. A model with too few
        keeps to imitation (“pairs 0 of 34”). “12 of 40” = 12 used of 40 available.
      </p>
      <Grid
        head={['Iteration', 'Agents', 'Model', 'Rows', 'Of which', 'Last loss']}
        rows={iterations.flatMap(datasetRows)}
      />
    </section>
  );
}

function datasetRows({ iteration, datasets, fineTunes }: Iteration) {
  return datasets.map(({ agents, role, rows, parts, objective }, index) => {
    const fineTune = fineTunes.find((each) => each.agent === agents[0] && each.role === role);
    const texts = [...(objective ? [`by ${objectives[objective].title}`] : []), partsText(parts)];
    return [
      index === 0 ? iteration : '',
      agents.join(', '),
      role,
      count(rows),
      texts.filter((text) => text !== '').join(', '),
      fineTune === undefined ? '–' : lossText(fineTune),
    ];
  });
}

function lossText({ model, finalLoss }: Iteration['fineTunes'][number]): string {
  return model === null ? 'not trained' : (finalLoss?.toFixed(3) ?? '–');
}

/** The loss curves of the models of a role. */
export type LossCharts = { readonly role: string; readonly drawn: Drawn };

/** How each fine-tune went, and how far it moved its model. */
export function FineTunesSection({
  iterations,
  losses,
}: {
  iterations: readonly Iteration[];
  losses: readonly LossCharts[];
}) {
  return (
    <ChartsSection
      title="How the models were trained"
      label="Loss over the optimiser steps of all iterations"
      note={`The loss on a model’s own rows, iteration after iteration; a dotted line stands where an iteration begins. ${movedNote}`}
      charts={losses.map(({ role, drawn }) => ({ heading: `Loss of the ${role} models`, drawn: [drawn] }))}
    >
      <Grid
        head={[
          'Iteration',
          'Agent',
          'Model',
          'Rows',
          'Too long',
          'Steps',
          'Learning rate',
          'Last loss',
          'Moved',
        ]}
        rows={iterations.flatMap(({ iteration, fineTunes }) =>
          fineTunes.map((fineTune, index) => [index === 0 ? iteration : '', ...cells(fineTune)]),
        )}
      />
    </ChartsSection>
  );
}

const movedNote = `Moved: the mean KL divergence of the trained model to where it started, in nats a token, on up to 32 of its own rows. A model that moved by less than ${leastMove} did not move: at most 7 of 100 answers of 100 tokens could come out differently. Too long: rows longer than max_length, which are left out.`;

function cells({
  agent,
  role,
  model,
  rows,
  droppedRows,
  steps,
  finalLoss,
  peakLearningRate,
  moved,
}: FineTune) {
  const begin = [agent, role, count(rows)];
  if (model === null) return [...begin, '–', '–', '–', '–', 'not trained'];
  return [
    ...begin,
    count(droppedRows),
    count(steps),
    peakLearningRate?.toPrecision(2) ?? '–',
    finalLoss?.toFixed(3) ?? '–',
    movedText(moved),
  ];
}

function movedText(moved: FineTune['moved']): string {
  if (moved === null) return 'not measured';
  const figure = moved.klPerToken.toPrecision(2);
  return didMove(moved) === true ? figure : `did not move (${figure})`;
}

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
            '',
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

function partsText(parts: Iteration['datasets'][number]['parts']): string {
  return Object.entries(parts)
    .map(([name, { used, available }]) => `${name} ${count(used)} of ${count(available)}`)
    .join(', ');
}
