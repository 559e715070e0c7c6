/** What do people read about a run in the Temporal UI, and in the terminal where it waits for them? */
import { changeableNow, raisedLimits } from '../algorithm/steering.ts';
import { type Accuracy, accuracyInterval } from '../algorithm/measures/answers.ts';
import { errorInPoints, evaluationName, interval95, percent, pValue, splitPlace } from '../text/figures.ts';
import {
  blackOnWhite,
  fenced,
  markdownTable,
  markdownText,
  shellWord,
  terminalSafe,
} from '../text/safe-text.ts';
import { progressTable, raisedSettings, usedUpText } from './progress-table.ts';
import { type Progress, type StepName, type Waiting, waitingSteps, waitsForBudget } from './progress.ts';

/** One thing that a person should know or do: our own words, then the words of others, or commands to be copied. */
export type Note = {
  readonly says: string;
  /** Words of a server or a program: of any length up to 1,000 characters, and not to be trusted. */
  readonly quoted?: string;
  readonly commands?: readonly string[];
};

/** What happened, where, and the commands that go on: for the Temporal UI and the terminal alike. Nothing while all goes well. */
export function waitingNotes(progress: Progress): Note[] {
  const { experiment, state, waiting } = progress;
  if (state === 'paused') return [goOn('It is paused. To go on, either of:', experiment, 'resume')];
  if (waiting.length === 0) return [];
  const ofSteps = waitingSteps(waiting);
  if (ofSteps.length === 0) return [...budgetNotes(progress), giveUp(experiment)];
  const causes = byCause(ofSteps);
  return [
    ...budgetNotes(progress),
    ...causes.slice(0, mostCauses).map(describeCause),
    ...(causes.length > mostCauses
      ? [{ says: `And ${causes.length - mostCauses} more causes: the query \`progress\` lists all.` }]
      : []),
    ...changeNotes(progress),
    goOn('When that is put right, either of these tries again:', experiment, 'retry'),
    giveUp(experiment),
  ];
}

function giveUp(experiment: string): Note {
  return {
    says: 'Or give up, with either of these. What is finished stays:',
    commands: [
      `colloquy abort ${shellWord(experiment)}`,
      `temporal workflow update execute -w ${shellWord(experiment)} --name abort --input '"why"'`,
    ],
  };
}

/** What was used of what, and the commands that raise it: twice as much, unless the person says otherwise. */
function budgetNotes({ experiment, waiting, budget, held }: Progress): Note[] {
  const waits = waiting.find(waitsForBudget);
  if (waits !== undefined && held !== undefined)
    return [
      {
        says: `The budget of the study ${held.study} is used up (${timeText(waits.since)}): ${held.says}. What was under way is saved. To raise it and go on, with limits of your own:`,
        commands: [`colloquy set-budget ${shellWord(held.study)} ${held.settings}`],
      },
    ];
  if (waits === undefined || budget === undefined) return [];
  const name = shellWord(experiment);
  return [
    {
      says: `The budget is used up (${timeText(waits.since)}): ${usedUpText(budget)}. What was under way is saved. To raise it and go on, either of these, with limits of your own:`,
      commands: [
        `colloquy set-budget ${name} ${raisedSettings(budget).join(' ')}`,
        `temporal workflow update execute -w ${name} --name setBudget --input '${JSON.stringify(raisedLimits(budget))}'`,
      ],
    },
  ];
}

/** Which settings may be changed before the step is tried again, and how. */
function changeNotes({ experiment, iteration, phase }: Progress): Note[] {
  const changeable = changeableNow({ iteration, phase });
  if (changeable.length === 0) return [];
  const name = shellWord(experiment);
  const trains = phase === 'building datasets' || phase === 'fine-tuning' || phase === 'distilling';
  const [path, value] = trains ? ['fine_tune.learning_rate', '0.0001'] : ['truncate_dialogues', 'true'];
  return [
    {
      says: `If a setting is the cause, it can be changed first, as long as no finished work depends on it: ${changeable.join(', ')}. For example, with one of these commands:`,
      commands: [
        `colloquy change ${name} ${path}=${value}`,
        `temporal workflow update execute -w ${name} --name change --input '{"${path}": ${value}}'`,
      ],
    },
    {
      says: 'Addresses and limits of endpoints are in the configs/endpoints.yaml of the worker: change them there, and start that worker again.',
    },
  ];
}

const mostCauses = 3;
const longestReason = 1_000;

/** Shards of one dead endpoint fail for one reason, which is then shown once. Reasons that name another question or agent are equal. */
export function byCause<Waits extends Pick<Waiting, 'reason'>>(waiting: readonly Waits[]): Waits[][] {
  const groups = new Map<string, Waits[]>();
  for (const each of waiting) {
    const cause = causeOf(each.reason);
    groups.set(cause, [...(groups.get(cause) ?? []), each]);
  }
  return [...groups.values()];
}

/** A reason without the numbers that tell one question, agent or moment from another. */
export function causeOf(reason: string): string {
  return reason.replace(/[0-9a-f]{8,}|\d+/g, '#');
}

function describeCause(group: readonly Waiting[]): Note {
  const [first] = group;
  const { cause, place } = splitPlace(first?.reason ?? '');
  const reason = terminalSafe(cause);
  const where = place === null ? '' : `\n${terminalSafe(place)}`;
  const steps = group.length === 1 ? 'A step' : `${group.length} steps`;
  const others = group.length > 1 ? ` and ${group.length - 1} more` : '';
  return {
    says: `${steps} could not be done (${timeText(first?.since ?? '')}): ${first === undefined ? '' : stepText({ id: first.step, words: first.words })}${others}. The reason:`,
    quoted: inLines((reason.length > longestReason ? `${reason.slice(0, longestReason)}…` : reason) + where),
  };
}

/** `2026-11-23 01:00 UTC` */
export function timeText(iso: string): string {
  return `${iso.slice(0, 16).replace('T', ' ')} UTC`;
}

/** Neither the Temporal UI nor every terminal breaks long lines. */
function inLines(text: string): string {
  return text
    .split('\n')
    .flatMap((line) => line.match(longLine) ?? [''])
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Ends at a blank where there is one. */
const longLine = /.{1,76}(?:\s|$)|.{1,76}/gu;

function goOn(says: string, experiment: string, update: 'resume' | 'retry'): Note {
  const name = shellWord(experiment);
  return {
    says,
    commands: [`colloquy ${update} ${name}`, `temporal workflow update execute -w ${name} --name ${update}`],
  };
}

/** A step for people: in words, with its id behind them, under which Temporal's UI shows it. */
export function stepText({ id, words }: StepName): string {
  return words === id ? terminalSafe(id) : `${terminalSafe(words)} (${terminalSafe(id)})`;
}

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
