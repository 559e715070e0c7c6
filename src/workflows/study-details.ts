import type { StudyProgress } from './study-progress.ts';

/** The Markdown that the Temporal UI shows for a study: a row for each method, a column for each experiment and seed. */
export function studyDetails({ state, cells }: StudyProgress): string {
  const finished = cells.filter((cell) => cell.state === 'finished').length;
  const columns = [...new Set(cells.map(columnOf))];
  const methods = [...new Set(cells.map(({ method }) => method))];
  const row = (method: string): string => {
    const states = columns.map(
      (column) => cells.find((cell) => cell.method === method && columnOf(cell) === column)?.state ?? '',
    );
    return `| ${method} | ${states.join(' | ')} |`;
  };
  return [
    `**${state}**: ${finished} of ${cells.length} experiments finished`,
    ...(cells.length === 0
      ? []
      : [
          [
            `| method | ${columns.join(' | ')} |`,
            `| --- |${columns.map(() => ' --- |').join('')}`,
            ...methods.map(row),
          ].join('\n'),
        ]),
    ...cells.flatMap(({ name, reason }) => (reason === undefined ? [] : [failureOf(name, reason)])),
  ].join('\n\n');
}

function columnOf({ experiment, seed }: StudyProgress['cells'][number]): string {
  return `${experiment}, seed ${seed}`;
}

/** The reason has words of servers and models in it: as code nothing of it is a link or HTML. */
function failureOf(name: string, reason: string): string {
  return `**${name} failed**\n\n\`\`\`\`\n${reason.replaceAll('`', "'").slice(0, 1_000)}\n\`\`\`\``;
}
