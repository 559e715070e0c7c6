/** @jsxRuntime automatic @jsxImportSource preact */
import { isInWindow } from '../../algorithm/labelled-debate.ts';
import { type Ratio, wilsonInterval } from '../../algorithm/measures/answers.ts';
import { objectives } from '../../algorithm/objectives.ts';
import { didMove, leastMove } from '../../store/records/iteration.ts';
import type { ExperimentResult } from '../../store/records/result.ts';
import type { LeftOutDocument } from '../../store/records/rows.ts';
import { count, errorInPoints, percent, withError } from '../../text/figures.ts';
import type { LabelRow } from '../analyse/measures.ts';
import { ChartsSection, Heading } from '../parts/page.tsx';
import type { Drawn } from '../charts/style.ts';
import { Grid } from '../parts/figures.tsx';
import { calibrationNote, learntNote } from '../tables/measure-tables.ts';

type Iteration = ExperimentResult['iterations'][number];
type FineTune = Iteration['fineTunes'][number];

/** What the training debates agreed on, what each agent was trained on, and how the fine-tunes ended. */
export function DatasetsSection({ iterations }: { iterations: readonly Iteration[] }) {
  return (
    <section>
      <Heading title="Debates on the training questions" />
      <p class="note">
        The consensus stands in for the answer key: no gold answer is used, unless the config has
        label_source: gold. Unanimous: all last answers are equal. Ties: several last answers had the most
        votes, and a seeded draw chose among them. No consensus: no answer could be read, or the most frequent
        one had fewer votes than min_votes or more than max_votes; such a question is not learnt from.
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
      rowHead(iteration, index),
      agents.join(', '),
      role,
      count(rows),
      texts.filter((text) => text !== '').join(', '),
      fineTune === undefined ? '–' : lossText(fineTune),
    ];
  });
}

export function lossText({ model, finalLoss }: Iteration['fineTunes'][number]): string {
  return model === null ? 'not trained' : (finalLoss?.toFixed(3) ?? '–');
}

/** How right the labels were, and what models learnt from: judged by gold answers, which only measure. */
export function LabelsSection({ labels }: { labels: readonly LabelRow[] }) {
  const learnt = labels.flatMap(({ iteration, purity }) =>
    (purity?.byRole ?? []).map((each, index) => ({ head: rowHead(iteration, index), ...each })),
  );
  const compared = learnt.some(({ rejectedWrong }) => rejectedWrong !== null);
  return (
    <section>
      <Heading title="How right the labels were" />
      <p class="note">
        Judged by the gold answers of the training questions, after each iteration was trained. They only
        measure: no label, dataset or choice depends on them. The small figures are per cent with their
        standard error, or the 95 % interval where that is 0; the question is the unit of sampling.
      </p>
      <Grid
        caption="Labels, by how many answers voted for them"
        head={['Iteration', 'Votes', 'Of all votes', 'Labels', 'Right', 'Learnt from']}
        rows={labels.flatMap(({ iteration, ofVotes, byVotes, ...window }) =>
          byVotes.map(({ votes, precision }, index) => [
            rowHead(iteration, index),
            `${votes} of ${ofVotes}`,
            percent(votes / ofVotes),
            count(precision?.of ?? 0),
            <Judged ratio={precision} />,
            isInWindow(votes, window) ? 'yes' : 'no',
          ]),
        )}
      />
      <p class="note">{calibrationNote}</p>
      <Grid
        caption="All labels, and those that were learnt from"
        head={[
          'Iteration',
          'Right, of all',
          'Of all votes',
          'Calibration error',
          'Right, of those learnt from',
        ]}
        rows={labels.map(({ iteration, calibration, precision }) => [
          iteration,
          <Judged ratio={calibration?.right ?? null} />,
          percent(calibration?.expected ?? NaN),
          calibration === null ? (
            '–'
          ) : (
            <>
              {percent(calibration.error)} <span class="se">±{errorInPoints(calibration.standardError)}</span>
            </>
          ),
          <Judged ratio={precision} />,
        ])}
      />
      {learnt.length > 0 && (
        <>
          <p class="note">{learntNote}</p>
          <Grid
            caption="What models learnt from"
            head={[
              'Iteration',
              'Model',
              'Right',
              ...(compared ? ['Chosen ones right', 'Rejected ones wrong'] : []),
            ]}
            rows={learnt.map(({ head, role, right, chosenRight, rejectedWrong }) => [
              head,
              role,
              <Judged ratio={right} />,
              ...(compared ? [<Judged ratio={chosenRight} />, <Judged ratio={rejectedWrong} />] : []),
            ])}
          />
        </>
      )}
    </section>
  );
}

/** `812 of 830`, with its share. */
function Judged({ ratio }: { ratio: Ratio | null }) {
  if (ratio === null) return <>–</>;
  const { value: accuracy, standardError, of, questions } = ratio;
  return (
    <>
      {count(accuracy * of)} of {count(of)}{' '}
      <span class="se">{withError({ accuracy, standardError }, wilsonInterval(ratio, questions))}</span>
    </>
  );
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
          fineTunes.map((fineTune, index) => [rowHead(iteration, index), ...cells(fineTune)]),
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

export function movedText(moved: FineTune['moved']): string {
  if (moved === null) return 'not measured';
  const figure = moved.klPerToken.toPrecision(2);
  return didMove(moved) === true ? figure : `did not move (${figure})`;
}

export function partsText(parts: Iteration['datasets'][number]['parts']): string {
  return Object.entries(parts)
    .map(([name, { used, available }]) => `${name} ${count(used)} of ${count(available)}`)
    .join(', ');
}

/** The questions that were not asked, with the reason. */
export function LeftOutSection({ leftOut }: Pick<LeftOutDocument, 'leftOut'>) {
  return (
    <section>
      <Heading title="Questions left out" />
      <ul>
        {leftOut.map((each) => (
          <li>
            {count(each.count)} {each.what}, for example:
            <ul>
              {each.examples.map((example) => (
                <li>{example}</li>
              ))}
            </ul>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The iteration at the head of each of its rows; pale where it is that of the row above. */
function rowHead(iteration: number, row: number) {
  return row === 0 ? iteration : <span class="se">{iteration}</span>;
}
