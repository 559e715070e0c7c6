import Table from 'cli-table3';
import pc from 'picocolors';
import type { Evaluation } from '../algorithm/evaluation.ts';
import { type Accuracy, accuracyInterval } from '../algorithm/measures/answers.ts';
import { evaluationName, points, pValue, withError } from '../text/figures.ts';

/**
 * The table for a terminal: the base model and each iteration with the accuracy of a single answer, of the majority and of
 * the debate in per cent with standard errors, and the paired test of the debate against the base model's.
 */
export function resultTable(evaluations: readonly Evaluation[], options: { colours: boolean }): string {
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
      evaluationName(evaluation.iteration),
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
