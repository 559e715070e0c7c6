/** @jsxRuntime automatic @jsxImportSource preact */
/** How right is an experiment: its debates after each iteration, on its guard's questions too, each agent, and the one model of the group? */
import type { ComponentChildren } from 'preact';
import type { Evaluation } from '../../algorithm/evaluation.ts';
import type { GuardFigures } from '../../algorithm/guard.ts';
import { objectives } from '../../algorithm/objectives.ts';
import type { ExperimentResult } from '../../store/records/result.ts';
import { count, evaluationName, percent, pValue } from '../../text/figures.ts';
import type { Drawn } from '../charts/style.ts';
import { accuracyCells, Gain, Grid, ways, WaysLegend, WithInterval } from '../parts/figures.tsx';
import { ChartsSection, Heading, unbroken } from '../parts/page.tsx';
import type { ReportData } from '../read/experiment.ts';
import { lossText, movedText, partsText } from './training-sections.tsx';

type AccuracyProps = {
  evaluations: readonly Evaluation[];
  /** The iterations that a guard has rolled back. */
  aside: readonly number[];
  chart: Drawn;
};

/** Accuracy over the iterations, as a chart and as figures, with the paired tests. */
export function AccuracySection({ evaluations, aside, chart }: AccuracyProps) {
  return (
    <ChartsSection
      title="Accuracy"
      label="Accuracy over the iterations"
      note="Share of held-out questions answered correctly; bars, and the figures in small print, are 95 % intervals of the choice of questions (Wilson’s). Single answer: the mean over the agents’ first answers. Majority: the vote over them. Debate: the vote after the last round. The chart’s axis need not begin at zero."
      charts={[{ heading: null, drawn: [chart] }]}
      legend={<WaysLegend />}
    >
      <Grid
        head={[
          'Evaluation',
          ...ways.map(({ name }) => name),
          <>
            Debate against
            <br />
            the base’s, points
          </>,
          <>
            Questions
            <br />
            won : lost
          </>,
          <>
            p (McNemar,
            <br />
            exact)
          </>,
        ]}
        rows={evaluations.map((evaluation) => [
          `${evaluationName(evaluation.iteration)}${aside.includes(evaluation.iteration) ? ' (rolled back)' : ''}`,
          ...accuracyCells(evaluation),
          ...againstBase(evaluation, evaluations[0]),
        ])}
      />
    </ChartsSection>
  );
}

function againstBase({ iteration, debate, debateVersusBase }: Evaluation, base: Evaluation | undefined) {
  if (iteration === 0 || base === undefined) return ['–', '–', '–'];
  const { wins, losses, pValue: p } = debateVersusBase;
  return [<Gain difference={debate.accuracy - base.debate.accuracy} />, `${wins} : ${losses}`, pValue(p)];
}

/** What the agents did with the validation questions after each iteration, and what the guard made of it. */
export function GuardSection({
  validation,
  guard,
}: {
  validation: readonly GuardFigures[];
  guard: ExperimentResult['guard'];
}) {
  const [first] = validation;
  const optional = [
    { title: 'Chosen answers, reward', of: ({ chosenReward }: GuardFigures) => chosenReward },
    { title: 'Own NLL', of: ({ ownNll }: GuardFigures) => ownNll },
    { title: 'KL to the base', of: ({ klToBase }: GuardFigures) => klToBase },
  ].filter(({ of }) => validation.some((each) => of(each) !== null));
  return (
    <section>
      <Heading title="Guard" />
      {guard !== undefined && <p>{unbroken(guard.said)}</p>}
      <p class="note">
        On {count(first?.questions ?? 0)} validation questions, which are neither trained on nor among the
        held-out ones. Debate and vote: accuracy, with 95 % intervals; saved and spoilt: questions that the
        debate got right and its vote over the first answers had wrong, and the other way round. Agreement:
        the mean share of agents with the most frequent last answer. Entropy: of the readable last answers to
        a question, in bits. Length: of a response, in characters.
        {optional.length > 0 &&
          ' Reward: how much likelier chosen answers became in the fine-tunes; below 0 they became less likely (displacement). NLL and KL: nats a token, of the diversity measurement on held-out questions. They are shown, and decide nothing.'}
      </p>
      <Grid
        head={[
          'Validation',
          'Debate',
          'Vote over first answers',
          'Saved : spoilt',
          'Agreement',
          'Entropy',
          'Unreadable',
          'Length',
          ...optional.map(({ title }) => title),
          ...(guard === undefined ? [] : ['Guard']),
        ]}
        rows={validation.map((each) => [
          evaluationName(each.iteration),
          <WithInterval value={each.accuracy} questions={each.questions} />,
          <WithInterval value={each.firstVote} questions={each.questions} />,
          `${each.debateVersusFirstVote.wins} : ${each.debateVersusFirstVote.losses}`,
          percent(each.agreement),
          each.entropy.toFixed(2),
          percent(each.unreadable),
          each.length.toFixed(0),
          ...optional.map(({ of }) => of(each)?.toPrecision(2) ?? '–'),
          ...(guard === undefined ? [] : [decisionText(guard, each.iteration)]),
        ])}
      />
    </section>
  );
}

function decisionText({ steps, rolledBack }: NonNullable<ExperimentResult['guard']>, iteration: number) {
  const outcome = steps.find((each) => each.iteration === iteration)?.outcome ?? '–';
  return rolledBack.includes(iteration) ? `${outcome}, rolled back` : outcome;
}

/** The accuracy of each agent on its own, at the start and at the end. */
export function AgentsSection({ byAgent, models }: Pick<ReportData, 'byAgent' | 'models'>) {
  const last = [...byAgent.keys()].at(-1) ?? 0;
  const agents = byAgent.get(last)?.length ?? 0;
  if (agents < 2) return null;
  const shown = last === 0 ? [0] : [0, last];
  const differ = new Set(models).size > 1;
  return (
    <section>
      <Heading title="Accuracy by agent" />
      <p class="note">
        Each agent on its own, on all held-out questions: its first answer, by its generation model, and its
        answer of the last round, by its critic model where the method trains one.
      </p>
      <Grid
        head={[
          'Agent',
          ...(differ ? ['Base model'] : []),
          ...shown.flatMap((iteration) => [
            `First answer, ${evaluationName(iteration)}`,
            `Last answer, ${evaluationName(iteration)}`,
          ]),
        ]}
        rows={Array.from({ length: agents }, (_, agent) => [
          `Agent ${agent + 1}`,
          ...(differ ? [<code>{models[agent]}</code>] : []),
          ...shown.flatMap((iteration): ComponentChildren[] => {
            const own = byAgent.get(iteration)?.[agent];
            if (own === undefined) return ['–', '–'];
            return [
              <WithInterval value={own.first} questions={own.questions} />,
              <WithInterval value={own.last} questions={own.questions} />,
            ];
          }),
        ])}
      />
    </section>
  );
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
