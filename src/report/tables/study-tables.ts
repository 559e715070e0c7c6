import type { StudyAnalysis } from '../analyse/study.ts';
import { accuracyTables } from './accuracy-tables.ts';
import { debateTables } from './debate-tables.ts';
import { paperTables } from './paper-tables.ts';
import type { Table } from './table.ts';
import { trainingTables } from './training-tables.ts';

/** The tables by their names. */
const tables = { ...accuracyTables, ...debateTables, ...trainingTables };

/** Every table of a study that has rows, by section of the report. */
export function studyTables(analysis: StudyAnalysis) {
  const of = (...wanted: readonly (keyof typeof tables)[]): Table[] =>
    wanted.flatMap((each) => tables[each](each, analysis));
  return {
    accuracy: paperTables(analysis),
    comparisons: of('comparisons'),
    iterations: of('iterations', 'seeds'),
    gains: of('gains'),
    equalTokens: of('first-vote', 'equal-tokens'),
    diversity: of('diversity'),
    flips: of('flips', 'summaries', 'consensus', 'answers'),
    cost: of('cost'),
    datasets: of('datasets', 'votes', 'labels', 'purity'),
    transfer: of('transfer'),
  } satisfies Record<string, readonly Table[]>;
}
export type StudyTables = ReturnType<typeof studyTables>;
