/** @jsxRuntime automatic @jsxImportSource preact */
import type { ComponentChildren } from 'preact';
import type { Evaluation } from '../../algorithm/evaluation.ts';
import { type Accuracy, accuracyInterval } from '../../algorithm/measures/answers.ts';
import type { GuardFigures } from '../../algorithm/guard.ts';
import type { ExperimentResult } from '../../store/records/result.ts';
import { count, evaluationName, interval95, percent, points } from '../../text/figures.ts';
import type { ReportData } from '../read/experiment.ts';
import { Grid } from '../tables/html-table.tsx';
import { Heading, unbroken } from './page.tsx';

/** The three ways of answering that are evaluated after every iteration. */
export const ways = [
  { key: 'single', name: 'Single answer', mark: '●' },
  { key: 'majority', name: 'Majority vote', mark: '■' },
  { key: 'debate', name: 'Debate', mark: '◆' },
] as const;

/** The three accuracies at the end, each with where it began. */
export function Tiles({ evaluations }: { evaluations: readonly Evaluation[] }) {
  const [base, last] = [evaluations[0], evaluations.at(-1)];
  if (base === undefined || last === undefined) return null;
  return (
    <div class="tiles">
      {ways.map(({ key, name }) => (
        <div class="tile" style={{ '--tone': `var(--${key})` }}>
          <div class="name">{name}</div>
          <div class="figure">
            {percent(last[key].accuracy)}{' '}
            <small>{interval95(accuracyInterval(last[key], last.questions))}</small>
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
  return ways.map(({ key }) => <WithInterval value={evaluation[key]} questions={evaluation.questions} />);
}

/** An accuracy with its 95 % interval. */
export function WithInterval({ value, questions }: { value: Accuracy; questions: number }) {
  return (
    <>
      {percent(value.accuracy)} <span class="se">{interval95(accuracyInterval(value, questions))}</span>
    </>
  );
}

/** A difference in points, coloured by its sign. */
export function Gain({ difference }: { difference: number }) {
  return <span class={difference < 0 ? 'down' : 'up'}>{points(difference)}</span>;
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
