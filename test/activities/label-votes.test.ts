/**
 * The datasets of `label_votes: both`, and the measurement of what was learnt, beside those that another reading of the same transcripts
 * gives: it counts numbers, and knows nothing of labels, matches and rows.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { buildDatasets } from '../../src/activities/steps/build-datasets.ts';
import { debate } from '../../src/activities/steps/debate.ts';
import { measureLabels } from '../../src/activities/steps/measure-labels.ts';
import { readRows } from '../../src/store/files/rows.ts';
import { requireDocument } from '../../src/store/files/documents.ts';
import { configInForce } from '../../src/store/records/config-changes.ts';
import {
  type DebateRow,
  debateRowSchema,
  exampleSchema,
  goldLabelSchema,
  type LabelsDocument,
  labelsSchema,
} from '../../src/store/records/rows.ts';
import { experimentFiles } from '../../src/store/store.ts';
import { runStep } from '../support/run-step.ts';
import { stepsOfAnExperiment } from '../support/steps-of-an-experiment.ts';

type Example = ReturnType<typeof exampleSchema.parse>;
type Made = {
  readonly debates: readonly DebateRow[];
  readonly gold: ReadonlyMap<string, string>;
  /** By role, then by agent. */
  readonly datasets: Readonly<Record<string, readonly (readonly Example[])[]>>;
  readonly labels: LabelsDocument;
  readonly withoutLabel: number;
};

async function made(settings: object): Promise<Made> {
  await using steps = await stepsOfAnExperiment([], settings);
  const { store, tasks } = steps.dependencies;
  const files = experimentFiles(store, 'steps');
  const debates: DebateRow[] = [];
  let withoutLabel = 0;
  for (const shard of [0, 1]) {
    const { consensus } = await runStep(debate, steps.shard(shard), steps.dependencies);
    // A worker that finds the shard finished counts the same.
    expect((await runStep(debate, steps.shard(shard), steps.dependencies)).consensus).toEqual(consensus);
    withoutLabel += consensus.withoutLabel;
    debates.push(...(await readRows(files.shard(1, 'train', shard), debateRowSchema)));
  }
  const datasets: Record<string, Example[][]> = {};
  for (const agent of [1, 2, 3]) {
    const request = { experiment: 'steps', iteration: 1, agents: [agent], shards: 2 };
    for (const { role, rows } of await runStep(buildDatasets, request, steps.dependencies))
      (datasets[role] ??= []).push(await readRows(store.place(rows.uri), exampleSchema));
  }
  const config = await configInForce(files);
  await measureLabels(files, 1, config, tasks.open(config.task).answers);
  const gold = await readRows(files.goldLabels, goldLabelSchema);
  return {
    debates,
    gold: new Map(gold.map(({ questionId, answer }) => [questionId, answer])),
    datasets,
    labels: await requireDocument(files.labels(1), labelsSchema),
    withoutLabel,
  };
}

/** The number that leads the count over all answers, with its votes; null when several lead and the last round's is none of them. */
function leader({ answers, consensus }: DebateRow): { number: number; votes: number } | null {
  const counts = new Map<number, number>();
  for (const answer of answers.flat())
    if (answer !== null) counts.set(Number(answer), (counts.get(Number(answer)) ?? 0) + 1);
  const votes = Math.max(...counts.values());
  const leaders = [...counts].filter(([, count]) => count === votes).map(([number]) => number);
  const number =
    leaders.length === 1 ? leaders[0]! : leaders.find((each) => each === Number(consensus.answer));
  return number === undefined ? null : { number, votes };
}

/** Right and all sides of the rows, by the number that each of their texts ends in. */
function countedSides(rows: readonly Example[], { debates, gold }: Made) {
  const sums = { chosen: { right: 0, of: 0 }, rejected: { right: 0, of: 0 } };
  const judge = (side: 'chosen' | 'rejected', text: string, question: string) => {
    const { id } = debates.find((each) => each.question.text === question)!.question;
    sums[side].of += 1;
    sums[side].right += Number(Number(/(-?\d+)\D*$/.exec(text)?.[1]) === Number(gold.get(id)));
  };
  for (const row of rows) {
    const question = row.prompt[0]!.content;
    if ('chosen' in row) {
      judge('chosen', row.chosen[0].content, question);
      judge('rejected', row.rejected[0].content, question);
    } else judge(row.label === false ? 'rejected' : 'chosen', row.completion[0].content, question);
  }
  return sums;
}

/** What labels.json counted of a role, over all questions. */
function recorded({ labels }: Made, role: string) {
  const sums = { chosen: { right: 0, of: 0 }, rejected: { right: 0, of: 0 } };
  for (const { learnt = [] } of labels.rows)
    for (const each of learnt.filter((own) => own.role === role))
      for (const side of ['chosen', 'rejected'] as const) {
        sums[side].right += each[side].right;
        sums[side].of += each[side].of;
      }
  return sums;
}

describe('with the votes of both rounds, four of six', () => {
  let run: Made;
  let labelled: readonly (DebateRow & { readonly number: number })[];
  beforeAll(async () => {
    run = await made({ label_votes: 'both', min_votes: 4, critic_mixture: 'weight', critic_weight: 0.2 });
    labelled = run.debates.flatMap((each) => {
      const found = leader(each);
      return found !== null && found.votes >= 4 ? [{ ...each, number: found.number }] : [];
    });
  });

  it('generation models learn from their first answers that equal the label, and critics from all dialogues that end in it', () => {
    // The votes are not those of the last round: with two of three there, other questions would have labels.
    expect(labelled.map(({ question }) => question.id)).not.toEqual(
      run.debates.filter(({ consensus }) => consensus.votes >= 2).map(({ question }) => question.id),
    );
    for (const agent of [0, 1, 2]) {
      const firsts = labelled.filter(({ answers, number }) => Number(answers[agent]![0] ?? NaN) === number);
      expect(run.datasets['generation']![agent]).toEqual(
        firsts.map(({ dialogues }) => ({
          prompt: dialogues[agent]!.slice(0, 1),
          completion: dialogues[agent]!.slice(1, 2),
        })),
      );
      const ends = labelled.filter(({ answers, number }) => Number(answers[agent]![1] ?? NaN) === number);
      expect(run.datasets['critic']![agent]!.map(({ prompt }) => prompt)).toEqual(
        ends.map(({ dialogues }) => dialogues[agent]!.slice(0, 3)),
      );
      expect(ends.length).toBeGreaterThan(0);
    }
  });

  it('the record has each label with its votes of six, and the summary of the debates those without one', () => {
    expect(run.labels).toMatchObject({ iteration: 1, ofVotes: 6, minVotes: 4 });
    expect(run.withoutLabel).toBe(16 - labelled.length);
    expect(run.labels.rows).toHaveLength(16);
    for (const row of run.labels.rows) {
      const held = run.debates.find(({ question }) => question.id === row.questionId)!;
      const found = leader(held);
      expect([row.votes, row.right]).toEqual(
        found === null
          ? [row.votes, row.right]
          : [found.votes, found.number === Number(run.gold.get(row.questionId))],
      );
    }
    expect(run.labels.rows.some(({ votes }) => votes > 3)).toBe(true);
  });

  it.each(['generation', 'critic'])('the record judges the rows that %s models learnt from', (role) => {
    const counted = countedSides(run.datasets[role]!.flat(), run);
    expect(recorded(run, role)).toEqual(counted);
    expect(counted.chosen.of).toBeGreaterThan(0);
  });
});

it.each(['dpo', 'kto'])(
  'both sides of the answers that models compare by %s are judged, with weights of the votes of both rounds',
  async (objective) => {
    const run = await made({
      label_votes: 'both',
      min_votes: 3,
      min_pairs: 1,
      label_weight: 'margin',
      fine_tune: { objective: { generation: objective } },
    });
    const rows = run.datasets['generation']!.flat();
    const counted = countedSides(rows, run);
    expect(recorded(run, 'generation')).toEqual(counted);
    expect(counted.rejected.of).toBe(counted.chosen.of);
    expect(counted.rejected.of).toBeGreaterThan(0);
    expect(recorded(run, 'critic').rejected).toEqual({ right: 0, of: 0 });
    // A row's weight is its label's lead among six votes, over the mean of the model's rows.
    const [own = []] = run.datasets['generation']!;
    const leads = own.map(({ prompt }) => {
      const { answers } = run.debates.find(({ question }) => question.text === prompt[0]!.content)!;
      const counts = new Map<string, number>();
      for (const answer of answers.flat())
        if (answer !== null) counts.set(answer, (counts.get(answer) ?? 0) + 1);
      const [most = 0, next = 0] = [...counts.values()].toSorted((a, b) => b - a);
      return (most - next) / 6;
    });
    const mean = leads.reduce((sum, each) => sum + each, 0) / leads.length;
    for (const [index, { weight }] of own.entries()) expect(weight).toBeCloseTo(leads[index]! / mean, 9);
    expect(own.length).toBeGreaterThan(0);
  },
);

it('a debate that ended after its first answers has six votes too', async () => {
  const run = await made({ label_votes: 'both', min_votes: 6, stop_when_unanimous: true });
  const ended = run.debates.filter(({ answers }) => answers.every((own) => own.length === 1));
  expect(ended.length).toBeGreaterThan(0);
  for (const { question } of ended)
    expect(run.labels.rows.find(({ questionId }) => questionId === question.id)).toMatchObject({ votes: 6 });
  const questions = run.datasets['generation']![0]!.map(({ prompt }) => prompt[0]!.content);
  expect(questions).toEqual(expect.arrayContaining(ended.map(({ question }) => question.text)));
});
