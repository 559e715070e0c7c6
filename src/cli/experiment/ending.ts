/** How is it printed that an experiment or a study has ended: its result, or what can be done now? */
import Table from 'cli-table3';
import pc from 'picocolors';
import { isThere } from '../../store/blobs.ts';
import type { ExperimentResult } from '../../store/records/result.ts';
import { experimentFiles, openStore, type Store } from '../../store/store.ts';
import { terminalSafe } from '../../text/safe-text.ts';
import type { Failed } from '../server/workflow.ts';
import { type ExitCode, exitCodes } from '../../errors.ts';
import { distilledText } from '../../workflows/progress-table.ts';
import { waitingNotes } from '../../workflows/waiting-notes.ts';
import type { Display } from '../display.ts';
import {
  noteText,
  printJson,
  runbookEntries,
  runbookEntriesOf,
  shortPath,
  tableFor,
  wantsColours,
  warningsText,
} from '../terminal.ts';
import type { Evaluation } from '../../algorithm/evaluation.ts';
import { type Accuracy, accuracyInterval } from '../../algorithm/measures/answers.ts';
import { accuracyTables } from '../../report/read/study.ts';
import { columnHead, figureText, type Table as ReportTable } from '../../report/tables/table.ts';
import { evaluationName, points, pValue, withError } from '../../text/figures.ts';
import type { Ending } from './run.ts';

export type EndingOptions = {
  readonly name: string;
  readonly json: boolean;
  /** The command line that comes back to the experiment or the study. */
  readonly comeBack: string;
};

/** Prints how an experiment ended and what can be done now; returns the matching exit code. */
export async function printEnding(
  ending: Ending,
  { name, json, comeBack }: EndingOptions,
): Promise<ExitCode> {
  switch (ending.kind) {
    case 'finished':
      if (json) printJson(ending.result);
      else await printResult(ending.result);
      return exitCodes.ok;
    case 'parked':
      if (json) printJson({ name, state: 'parked', waiting: ending.progress.waiting });
      console.error(`${name} waits for you.`);
      for (const note of waitingNotes(ending.progress)) console.error(`\n${noteText(note)}`);
      for (const line of runbookEntriesOf(ending.progress)) console.error(line);
      return exitCodes.waitsForPerson;
    case 'failed':
      return printFailure(ending, { name, json, comeBack });
    case 'detached':
    default:
      ending.kind satisfies 'detached';
      console.error(`Detached: ${name} goes on without this terminal. To come back:  ${comeBack}`);
      console.error(`To stop it for a while:  colloquy pause ${name}`);
      return exitCodes.interrupted;
  }
}

/** Prints why an experiment or a study failed and how to go on; returns the matching exit code. */
export function printFailure({ type, reason }: Failed, { name, json, comeBack }: EndingOptions): ExitCode {
  if (json) printJson({ name, state: 'failed', type, reason });
  console.error(`${name} failed (${type}): ${terminalSafe(reason)}`);
  if (type === 'InvalidConfig') return exitCodes.badUsage;
  console.error([...runbookEntries([type]), `What is finished stays. To go on:  ${comeBack}`].join('\n'));
  return exitCodes.failed;
}

async function printResult(result: ExperimentResult): Promise<void> {
  const files = experimentFiles(openStore(), result.name);
  console.log(resultTable(result.evaluations, { colours: wantsColours() }, result.guard?.rolledBack));
  console.log('');
  const { night, guard, answer, distilled } = result;
  const one = distilled && `Distilled: ${distilledText(distilled.evaluation)}`;
  for (const said of [night?.said, guard?.said, answer?.said, one]) if (said) console.log(`${said}\n`);
  for (const text of warningsText(result.warnings)) console.log(`${text}\n`);
  const { trackersBehind } = await import('../../observe/trackers/track.ts');
  for (const text of await trackersBehind(files)) console.log(`${text}\n`);
  if (!(await isThere(files.report)))
    return console.log('The report is in the store of the worker that made it.');
  console.log(`Report:   ${shortPath(files.report.where)}`);
  console.log(`Figures:  ${shortPath(files.result.where)}`);
}

export function sayFinishedBefore(display: Display, name: string, afresh: string): void {
  display.say(`${name} has finished already: this is its result. To start afresh:  ${afresh}`);
}

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
