import Table from 'cli-table3';
import pc from 'picocolors';
import { type Accuracy, accuracyInterval } from '../../algorithm/measures/answers.ts';
import type { PairedTest } from '../../algorithm/measures/tests.ts';
import {
  compareExperiments,
  type Comparison,
  type DifferingQuestion,
  differingQuestions,
  type IterationComparison,
  readEvaluated,
} from '../../report/analyse/compare-experiments.ts';
import { count, evaluationName, points, pValue, withError } from '../../text/figures.ts';
import { terminalSafe } from '../../text/safe-text.ts';
import { experimentFiles, openStore } from '../../store/store.ts';
import { experimentName, iterationNumber } from '../arguments.ts';
import { command, jsonOption } from '../command.ts';
import { printJson, wantsColours } from '../terminal.ts';

/** `colloquy compare A B` */
export const compare = command('compare', [
  'colloquy compare quickstart second',
  'colloquy compare quickstart second --iteration 2 --questions   # and the questions that only one got right',
])
  .argument('<a>', "an experiment's name", experimentName)
  .argument('<b>', "another experiment's name", experimentName)
  .option(
    '--iteration <i>',
    'compare only this iteration; 0 is the base model (default: all)',
    iterationNumber,
  )
  .option(
    '--questions',
    'list the questions that only one got right, after the last iteration of both that no guard has rolled back',
  )
  .addOption(jsonOption)
  .action(async (nameOfA, nameOfB, { iteration, questions, json }) => {
    const store = openStore();
    const a = await readEvaluated(experimentFiles(store, nameOfA));
    const b = await readEvaluated(experimentFiles(store, nameOfB));
    const comparison = compareExperiments(a, b, iteration);
    const { last } = comparison;
    const differing = questions && last !== null ? await differingQuestions(a, b, last) : undefined;
    if (json)
      printJson({
        ...comparison,
        ...(differing && { differing: { iteration: last, questions: differing } }),
      });
    else {
      console.log(comparisonText(comparison, { colours: wantsColours() }));
      if (differing !== undefined && last !== null)
        console.log(`\n${differingText(comparison, last, differing)}`);
    }
  });

/** A comparison for the terminal: the settings that differ, the questions that are compared, and the figures. */
export function comparisonText(comparison: Comparison, options: { colours: boolean }): string {
  const parts = [configText(comparison), questionsText(comparison), figuresTable(comparison, options)];
  return [...parts, ...rolledBackText(comparison)].join('\n\n');
}

/** Which rows are of iterations that a guard has rolled back, and which is then the last one. */
function rolledBackText({ a, b, iterations, last, rolledBack }: Comparison): string[] {
  const shown = (aside: readonly number[]) =>
    iterations.map(({ iteration }) => iteration).filter((each) => aside.includes(each));
  const lines = [[a, shown(rolledBack.a)] as const, [b, shown(rolledBack.b)] as const].flatMap(
    ([name, aside]) =>
      aside.length === 0 ? [] : [`Rolled back by the guard of ${name}: iteration ${aside.join(', ')}.`],
  );
  if (lines.length === 0) return [];
  const standing =
    last === null ? 'No iteration of both stands.' : `The last that stands in both: ${evaluationName(last)}.`;
  return [[...lines, standing].map(terminalSafe).join('\n')];
}

/** The questions that only one of the two got right, with both answers. */
export function differingText(
  { a, b }: Comparison,
  iteration: number,
  differing: readonly DifferingQuestion[],
): string {
  const only = (right: 'a' | 'b', name: string) => {
    const questions = differing.filter((each) => each.right === right);
    const lines = questions.map(({ a: ofA, b: ofB }) => {
      const ids =
        ofA.questionId === ofB.questionId ? ofA.questionId : `${ofA.questionId} / ${ofB.questionId}`;
      const answers = `gold ${ofA.gold}; ${a}: ${ofA.debate.answer ?? 'none'}; ${b}: ${ofB.debate.answer ?? 'none'}`;
      return terminalSafe(`  ${ids}  ${oneLine(ofA.question)}  (${oneLine(answers)})`);
    });
    return [
      `Only ${name} right, by debate, ${evaluationName(iteration)}: ${questions.length}`,
      ...lines,
    ].join('\n');
  };
  return `${only('a', a)}\n\n${only('b', b)}`;
}

function configText({ a, b, config }: Comparison): string {
  if (config === null) return 'Their settings cannot be compared: the config.json of one of them is gone.';
  if (config.length === 0) return 'The configs are equal.';
  const lines = config.map(
    ({ path, before, after }) => `  ${path}: ${settingText(before)} -> ${settingText(after)}`,
  );
  return [`Settings that differ, ${a} -> ${b}:`, ...lines].map(terminalSafe).join('\n');
}

function settingText(value: unknown): string {
  return value === undefined ? 'none' : JSON.stringify(value);
}

function questionsText({ a, b, questions }: Comparison): string {
  const line = (what: string, ids: readonly string[]) =>
    ids.length === 0 ? [] : [`  ${count(ids.length)} ${what}: ${namedFew(ids)}`];
  return [
    `${count(questions.common)} held-out questions in both`,
    ...line('of them judged by gold answers that are not written alike', questions.otherGold),
    ...line(`only in ${a}, left out`, questions.onlyInA),
    ...line(`only in ${b}, left out`, questions.onlyInB),
  ].join('\n');
}

const mostNamed = 8;

function namedFew(ids: readonly string[]): string {
  const more = ids.length - mostNamed;
  return terminalSafe(ids.slice(0, mostNamed).join(', ') + (more > 0 ? ` and ${count(more)} more` : ''));
}

function figuresTable({ a, b, iterations, questions }: Comparison, options: { colours: boolean }): string {
  const { bold, dim } = pc.createColors(options.colours);
  const table = new Table({
    head: ['accuracy, %', '', a, b, 'difference', `only ${a}`, `only ${b}`, 'p'].map((head) => bold(head)),
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: options.colours ? ['gray'] : [] },
  });
  for (const each of iterations) table.push(...rowsOf(each, questions.common));
  return (
    table.toString() +
    `\n${dim(`± one standard error, or a 95 % interval where that is 0; difference: ${b} minus ${a}, in points; p: exact sign-flip test of the questions, which for votes is McNemar’s, two-sided`)}`
  );
}

function rowsOf({ iteration, a, b, tests }: IterationComparison, questions: number): string[][] {
  const methods = ['single', 'majority', 'debate'] as const;
  return methods.map((method, index) => [
    index === 0 ? evaluationName(iteration) : '',
    method,
    figure(a?.[method], questions),
    figure(b?.[method], questions),
    a === null || b === null ? '–' : points(b[method].accuracy - a[method].accuracy),
    ...testCells(tests?.[method]),
  ]);
}

function figure(value: Accuracy | undefined, questions: number): string {
  return value === undefined ? '–' : withError(value, accuracyInterval(value, questions));
}

function testCells(test: PairedTest | undefined): string[] {
  return test === undefined ? ['–', '–', '–'] : [String(test.wins), String(test.losses), pValue(test.pValue)];
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
