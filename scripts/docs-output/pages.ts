/** Which pages have commands that are run? */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** The tutorial and the page of each example, relative to the project: the cheapest to run first. */
export function pagesWithCommands(project: string): string[] {
  const examples = readdirSync(join(project, 'examples'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `examples/${name}/README.md`);
  return [...examples.toSorted(), 'docs/tutorial.md'];
}
