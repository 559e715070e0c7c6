/** The tables of results for the terminal: of an experiment, and of a finished study. */
import Table from 'cli-table3';
import pc from 'picocolors';
import type { Evaluation } from '../algorithm/evaluation.ts';
import { type Accuracy, accuracyInterval } from '../algorithm/measures/answers.ts';
import { accuracyTables } from '../report/read/study.ts';
import { columnHead, figureText, type Table as ReportTable } from '../report/tables/table.ts';
import type { Store } from '../store/store.ts';
import { evaluationName, points, pValue, withError } from '../text/figures.ts';
import { tableFor } from './terminal.ts';

/**
 * The table for a terminal: the base model and each iteration with the accuracy of a single answer, of the majority and of
 * the debate in per cent with standard errors, and the paired test of the debate against the base model's.
 *
 * @param aside the iterations that a guard has rolled back
 */
export function resultTable(
  evaluations: readonly Evaluation[],
  options: { colours: boolean },
  aside: readonly number[] = [],
): string {
  const { bold, dim, green, red } = pc.createColors(options.colours);
  const base = evaluations[0];
  const table = new Table({
    head: ['accuracy, %', 'single', 'majority', 'debate', 'debate vs. base', 'won : lost', 'p'].map((head) =>
      bold(head),
    ),
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: options.colours ? ['gray'] : [] },
  });
  for (const evaluation of evaluations) {
    const gain = base === undefined ? 0 : evaluation.debate.accuracy - base.debate.accuracy;
    const { wins, losses, pValue: p } = evaluation.debateVersusBase;
    const against =
      evaluation.iteration === 0
        ? [dim('–'), dim('–'), dim('–')]
        : [(gain < 0 ? red : green)(`${points(gain)} points`), `${wins} : ${losses}`, pValue(p)];
    table.push([
      evaluationName(evaluation.iteration) +
        (aside.includes(evaluation.iteration) ? dim(', rolled back') : ''),
      figure(evaluation.single, evaluation.questions),
      figure(evaluation.majority, evaluation.questions),
      bold(figure(evaluation.debate, evaluation.questions)),
      ...against,
    ]);
  }
  const questions = base?.questions ?? 0;
  return (
    table.toString() +
    `\n${dim(`${questions} held-out questions; ± one standard error, or a 95 % interval where that is 0; p: McNemar, exact, two-sided`)}`
  );
}

function figure(accuracy: Accuracy, questions: number): string {
  return withError(accuracy, accuracyInterval(accuracy, questions));
}

/**
 * The tables of accuracies that the study's files hold, each fitted to this number of columns, with its notes as far as no table above it has
 * them. A table that is not in this machine's store, or has another form, is left out.
 *
 * @param files the names in the study's folder
 */
export async function accuracyTablesText(
  store: Store,
  study: string,
  files: readonly string[],
  columns: number,
): Promise<string[]> {
  const names = files.flatMap((file) => /^(.+)\.json$/.exec(file)?.[1] ?? []);
  const tables = await accuracyTables(store, study, names);
  const noted = new Set<string>();
  return tables.map((table) => {
    const notes = table.notes.filter((note) => !noted.has(note) && noted.add(note));
    return [tableText(table, columns), ...notes].join('\n');
  });
}

function tableText({ caption, columns: of, rows }: ReportTable, columns: number): string {
  const cells = rows.map((row) =>
    row.map((cell, index) => {
      const column = of[index];
      if (cell.kind === 'name') return cell.text;
      if (cell.kind === 'absent' || column === undefined) return '–';
      const { value, error, mark } = figureText(cell, column);
      return `${value}${error === null ? '' : ` ${error}`}${mark ?? ''}`;
    }),
  );
  return `${caption}\n${tableFor(columns, of.map(columnHead), cells)}`;
}
