import type { Accuracy } from '../algorithm/measures/answers.ts';
import { evaluationName, percent, pValue } from '../report/format.ts';
import type { Progress } from './progress.ts';
import { progressTable } from './progress-table.ts';
import { type Note, whatWaits } from './what-waits.ts';

/** The Markdown that the Temporal UI shows for a run, made anew whenever the progress changes. */
export function currentDetails(progress: Progress): string {
  const rows = Object.entries(progressTable(progress)).map(([what, text]) => `| ${what} | ${inline(text)} |`);
  const blocks = [
    ...whatWaits(progress).flatMap(noteBlocks),
    ['| | |', '| --- | --- |', ...rows].join('\n'),
    ...(progress.evaluations.length > 0
      ? ['**Accuracy so far, with standard errors**', evaluationTable(progress.evaluations)]
      : []),
  ];
  return blocks.join('\n\n');
}

function noteBlocks({ says, quoted, commands }: Note): string[] {
  return [
    `**${inline(says)}**`,
    ...(quoted === undefined ? [] : [fenced(quoted)]),
    ...(commands === undefined ? [] : [fenced(commands.join('\n'))]),
  ];
}

/** In a fenced block nothing is a link, an image, HTML or the end of a table, whoever wrote it: the fence outlasts its content. */
function fenced(text: string): string {
  const runs = [...text.matchAll(/`+/g)].map(([run]) => run.length);
  const fence = '`'.repeat(Math.max(3, ...runs.map((length) => length + 1)));
  return `${fence}\n${text}\n${fence}`;
}

/** A line of our own words, in which a name may have any character: none of them means anything to Markdown. */
function inline(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\\`*_[\]<>|~#!&]/g, String.raw`\$&`);
}

function evaluationTable(evaluations: Progress['evaluations']): string {
  return [
    '| accuracy | single | majority | debate | p against the base |',
    '| --- | --- | --- | --- | --- |',
    ...evaluations.map(
      ({ iteration, single, majority, debate, debateVersusBase }) =>
        `| ${evaluationName(iteration)} | ${withError(single)} | ${withError(majority)} | ${withError(debate)} | ${
          iteration === 0 ? '' : pValue(debateVersusBase.pValue)
        } |`,
    ),
  ].join('\n');
}

function withError({ accuracy, standardError }: Accuracy): string {
  // The UI's tables have no room between columns; blanks that may not be broken stay.
  return `${percent(accuracy)} ± ${(standardError * 100).toFixed(1)}\u00a0\u00a0`;
}
