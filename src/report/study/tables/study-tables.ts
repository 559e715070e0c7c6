import type { Table } from '../../tables/table.ts';
import type { StudyAnalysis } from '../analyse-study.ts';
import { accuracyTables } from './accuracy-tables.ts';
import { comparisonTable } from './comparison-table.ts';
import { consensusTable } from './consensus-table.ts';
import { costTable } from './cost-table.ts';
import { datasetTables } from './dataset-tables.ts';
import { diversityTable } from './diversity-table.ts';
import { enduranceTable } from './endurance-table.ts';
import { equalTokensTable } from './equal-tokens-table.ts';
import { flipTable } from './flip-table.ts';
import { iterationTable, seedTable } from './iteration-table.ts';
import { summaryTable } from './summary-table.ts';
import { transferTable } from './transfer-table.ts';

/** Every table of a study that has something in it, by section of the report. */
export function studyTables(analysis: StudyAnalysis) {
  return {
    accuracy: accuracyTables(analysis),
    comparisons: comparisonTable(analysis),
    iterations: [...iterationTable(analysis), ...seedTable(analysis)],
    gains: enduranceTable(analysis),
    equalTokens: equalTokensTable(analysis),
    diversity: diversityTable(analysis),
    flips: [...flipTable(analysis), ...summaryTable(analysis), ...consensusTable(analysis)],
    cost: costTable(analysis),
    datasets: datasetTables(analysis),
    transfer: transferTable(analysis),
  } satisfies Record<string, readonly Table[]>;
}
export type StudyTables = ReturnType<typeof studyTables>;
