import type { Accuracy } from '../algorithm/accuracy.ts';
import type { Progress } from './progress.ts';

/** The Markdown that the Temporal UI shows for a run, made anew whenever the progress changes. */
export function currentDetails(progress: Progress): string {
  const { experiment, state, phase, iteration, iterations, done, total, unit, questions, phaseStartedAt } =
    progress;
  const asked = questions > 0 ? `, ${questions} questions` : '';
  const lines = [
    `**${experiment}**: ${state}`,
    '',
    '| iteration | phase | done | since |',
    '| --- | --- | --- | --- |',
    `| ${iteration === 0 ? 'base' : `${iteration} of ${iterations}`} | ${phase} | ${done} of ${total} ${unit}${asked} | ${phaseStartedAt} |`,
    ...progress.waiting.flatMap(({ step, reason, since }) => [
      '',
      `**${step} waits for a person since ${since}.** ${reason}`,
      '',
      'When the cause is gone, send the update `retry`; `abort` ends the run and keeps what is finished.',
    ]),
    ...(progress.evaluations.length > 0 ? ['', ...evaluationTable(progress.evaluations)] : []),
  ];
  return lines.join('\n');
}

function evaluationTable(evaluations: Progress['evaluations']): string[] {
  return [
    '| | single | majority | debate | p against the base |',
    '| --- | --- | --- | --- | --- |',
    ...evaluations.map(
      ({ iteration, single, majority, debate, debateVersusBase }) =>
        `| ${iteration === 0 ? 'base' : iteration} | ${percent(single)} | ${percent(majority)} | ${percent(debate)} | ${
          iteration === 0 ? '' : debateVersusBase.pValue.toPrecision(2)
        } |`,
    ),
  ];
}

function percent({ accuracy, standardError }: Accuracy): string {
  return `${(accuracy * 100).toFixed(1)} ± ${(standardError * 100).toFixed(1)}`;
}
