import { methods } from '../../../algorithm/methods/methods.ts';
import { mostVotes } from '../../../algorithm/measures/cost.ts';
import { count } from '../../format.ts';
import type { Column, Row, StudyAnalysis } from '../analyse-study.ts';
import { againstOthers } from './against-others.ts';
import { besideMajority } from './beside-majority.ts';
import { explained } from './explained.ts';
import { type Finding, finding } from './finding.ts';
import { lasting } from './lasting.ts';
import { listed } from './said.ts';
import { withPaper } from './with-paper.ts';

/** What a study shows, and what it does not, in plain sentences that follow from the numbers by rule. */
export type StudyFindings = {
  readonly columns: readonly ColumnFindings[];
  readonly limits: readonly string[];
};
export type ColumnFindings = {
  readonly column: string;
  readonly shows: readonly Finding[];
  /** What was measured beside it. */
  readonly beside: readonly Finding[];
};

export function studyFindings(analysis: StudyAnalysis): StudyFindings {
  const columns = analysis.columns.map((column) => {
    const shows = [
      ...againstOthers(analysis, column),
      ...lasting(column),
      ...besideMajority(analysis, column),
      ...withPaper(column),
    ];
    return {
      column: column.name,
      shows: shows.length > 0 ? shows : [nothingToCompare(column)],
      beside: explained(analysis, column),
    };
  });
  return { columns, limits: limits(analysis) };
}

function nothingToCompare({ rows }: Column): Finding {
  const said = rows.map(({ title }) => title);
  return finding(
    `Only ${listed(said)} ${said.length === 1 ? 'is' : 'are'} finished here, so there is nothing to compare yet.`,
  );
}

function limits({ columns, missing, comparisons, reference }: StudyAnalysis): string[] {
  const rows = columns.flatMap((column) => column.rows);
  const seeds = new Set(rows.flatMap((row) => row.seeds));
  const embedded = columns.some(({ experiments }) =>
    experiments.some(({ config }) => config.model.model_name_or_path.startsWith('engine/models/')),
  );
  const unmeasured =
    rows.some(({ own }) => own !== null) && rows.every(({ own }) => (own?.diversity.rows.length ?? 0) === 0);
  const reasons = new Set(rows.flatMap(({ own }) => own?.diversity.leftOut ?? []));
  const alone = columns
    .filter(({ rows: own }) => !own.some(({ key }) => key === reference))
    .map(({ name }) => name);
  return [
    ...(missing.length === 0
      ? []
      : [
          `${count(missing.length)} of the study’s experiments are missing; what is said is about the others.`,
        ]),
    ...(alone.length === 0 || comparisons.length === 0
      ? []
      : [
          `Without a finished experiment of the method that others are compared with, nothing is tested on ${listed(alone)}.`,
        ]),
    ...(seeds.size === 1
      ? [
          'There is one seed: the errors hold the choice of questions, and not how much another training would change.',
        ]
      : [
          `There are ${seeds.size} seeds, pooled: the errors hold the choice of questions and answers; ${seeds.size} trainings of each method are few to tell how much another one would change. The spread of the seeds stands in its own table.`,
        ]),
    ...(columns.some(({ sharedQuestions }) => sharedQuestions)
      ? [
          'Seeds share held-out questions, and are pooled as if they did not: the errors are somewhat larger than told.',
        ]
      : []),
    ...fromGold(rows),
    ...withoutVotes(rows),
    ...(unmeasured ? ['Diversity was not measured.'] : []),
    ...[...reasons].map((reason) => `Some of diversity is left out: ${reason}`),
    ...(embedded
      ? [
          'The embedded model is tiny and was made for this, from questions of the same kind, the held-out ones among them, by a rule that was fixed before the methods were compared (engine/models/tiny-arithmetic/README.md): what it shows says nothing about large models.',
        ]
      : []),
  ];
}

/** Who had more than the others to learn from. */
function fromGold(rows: readonly Row[]): string[] {
  const titles = rows.flatMap(({ title, learns, own }) =>
    learns && own?.config.label_source === 'gold' ? [title] : [],
  );
  return titles.length === 0
    ? []
    : [
        `${listed([...new Set(titles)])} learnt from the gold answers of the training questions; no other method was told any.`,
      ];
}

function withoutVotes(rows: readonly Row[]): string[] {
  const titles = rows.flatMap(({ title, own }) =>
    own !== null &&
    own.config.equal_tokens &&
    own.config.rounds > 1 &&
    methods[own.config.method].answer === 'debate' &&
    own.besideDebate.length === 0
      ? [title]
      : [],
  );
  return titles.length === 0
    ? []
    : [
        `The majority at equal tokens was not measured beside ${listed([...new Set(titles)])}: the server counts no tokens, or by its counts that would take more than ${mostVotes} answers to a question.`,
      ];
}
