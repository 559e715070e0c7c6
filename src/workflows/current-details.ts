import { type Accuracy, accuracyInterval } from '../algorithm/measures/answers.ts';
import { errorInPoints, evaluationName, interval95, percent, pValue } from '../text/figures.ts';
import { blackOnWhite, fenced, markdownTable, markdownText } from '../text/markdown.ts';
import type { Progress } from './progress.ts';
import { progressTable } from './progress-table.ts';
import { type Note, waitingNotes } from './waiting-notes.ts';

/** The Markdown that the Temporal UI shows for a run, made again whenever the progress changes. */
export function currentDetails(progress: Progress): string {
  const rows = Object.entries(progressTable(progress)).map(([what, text]) => [what, markdownText(text)]);
  const blocks = [
    ...waitingNotes(progress).flatMap(noteBlocks),
    markdownTable(null, rows),
    ...warningBlocks(progress),
    ...(progress.evaluations.length > 0
      ? ['**Accuracy so far, with standard errors**', evaluationTable(progress.evaluations)]
      : []),
  ];
  return [...blocks, blackOnWhite].join('\n\n');
}

function noteBlocks({ says, quoted, commands }: Note): string[] {
  return [
    `**${markdownText(says)}**`,
    ...(quoted === undefined ? [] : [fenced(quoted)]),
    ...(commands === undefined ? [] : [fenced(commands.join('\n'))]),
  ];
}

/** A warning in one paragraph each: what is so, and what can be done. */
function warningBlocks({ warnings }: Progress): string[] {
  if (warnings.length === 0) return [];
  return [
    `**${warnings.length === 1 ? 'Warning' : 'Warnings'}**`,
    ...warnings.map(({ says, remedy }) => markdownText(`${says} ${remedy}`)),
  ];
}

function evaluationTable(evaluations: Progress['evaluations']): string {
  return markdownTable(
    ['accuracy', 'single', 'majority', 'debate', 'p against the base'],
    evaluations.map(({ iteration, questions, single, majority, debate, debateVersusBase }) => [
      evaluationName(iteration),
      withError(single, questions),
      withError(majority, questions),
      withError(debate, questions),
      iteration === 0 ? '' : pValue(debateVersusBase.pValue),
    ]),
  );
}

function withError(accuracy: Accuracy, questions: number): string {
  const error = errorInPoints(accuracy.standardError);
  // An error of 0.0 would suggest that the figure is certain.
  const shown = error === '0.0' ? `(${interval95(accuracyInterval(accuracy, questions))})` : `± ${error}`;
  // The UI's tables have no room between columns; blanks that may not be broken stay.
  return `${percent(accuracy.accuracy)} ${shown}\u00a0\u00a0`;
}
