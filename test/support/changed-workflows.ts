import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { copyOfTheSources } from './copy-of-the-sources.ts';

/** What becomes of a line: code comes before it, it is left out, or something in it is replaced. */
export type Change =
  | { readonly before: string }
  | 'left out'
  | { readonly replace: string; readonly by: string };

export type PlacedChange = {
  readonly place: string;
  readonly change: Change;
  /** A condition, in the workflow's code, under which the change is made; it is always made unless one is given. */
  readonly when?: string;
};

/**
 * A copy of the code in which the line after each comment `// mutation: PLACE` is changed. Code that a change brings can use `sdk`,
 * which is @temporalio/workflow.
 *
 * @throws for a place that is marked nowhere in src/workflows, and for a line without the text to replace
 */
export async function changedWorkflows(changes: readonly PlacedChange[]): Promise<string> {
  const root = await copyOfTheSources();
  const folder = join(root, 'src', 'workflows');
  const left = new Set(changes);
  for (const file of (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.ts'))) {
    const path = join(folder, file);
    const lines = (await readFile(path, 'utf8')).split('\n');
    const places = lines.map((line) => /^ *\/\/ mutation: (.*)$/.exec(line)?.[1]);
    const changedLines = lines.map((line, index) => {
      const here = changes.filter(({ place }) => place === places[index - 1]);
      for (const each of here) left.delete(each);
      return [...here.map(codeBefore), here.reduce(changed, line)].join('');
    });
    if (changedLines.some((line, index) => line !== lines[index]))
      await writeFile(path, `import * as sdk from '@temporalio/workflow';\n${changedLines.join('\n')}`);
  }
  for (const { place } of left) throw new Error(`No line of src/workflows says "// mutation: ${place}".`);
  return root;
}

function codeBefore({ change, when = 'true' }: PlacedChange): string {
  return typeof change === 'object' && 'before' in change ? `if (${when}) { ${change.before} }\n` : '';
}

function changed(line: string, { change, when = 'true' }: PlacedChange): string {
  if (change === 'left out') return `if (!(${when})) ${line}`;
  if ('before' in change) return line;
  const { replace, by } = change;
  if (!line.includes(replace)) throw new Error(`The marked line does not have "${replace}": ${line}`);
  return line.replace(replace, `(${when} ? ${by} : ${replace})`);
}
