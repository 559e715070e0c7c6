/** Which pages have commands that are run, and what does such a page look like after its commands were run? */
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, type } from 'node:os';
import { join } from 'node:path';
import { parsePage, stepsOf, writtenPage } from './page.ts';
import { play } from './play.ts';

/** The pages of the examples and the tutorial, relative to the project. */
export function pagesWithCommands(project: string): string[] {
  const examples = readdirSync(join(project, 'examples'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => `examples/${path.replaceAll('\\', '/')}`);
  return [...examples.toSorted(), 'docs/tutorial.md'];
}

/** A page as it is, and with the outputs of now. */
export type Written = {
  readonly before: string;
  readonly after: string;
  /** Whether the page says that its outputs were printed on a processor like this one. */
  readonly sameMachine: boolean;
};

/** Runs the commands of a page. @throws as `play` does */
export async function runPage(project: string, path: string, say: (line: string) => void): Promise<Written> {
  const before = readFileSync(join(project, path), 'utf8');
  const parts = parsePage(before);
  const printed = await play(stepsOf(parts), project, say);
  const processor = cpus()[0]?.model ?? 'an unknown processor';
  const sentence =
    `Printed on ${new Date().toISOString().slice(0, 10)} on ${type()}, ${availableParallelism()} cores of ${processor}, Node ${process.versions.node}.\n` +
    `\`npx tsx scripts/write-docs-output.ts ${path}\` runs the commands of this page and writes what they print.`;
  return {
    before,
    after: writtenPage(parts, printed, sentence),
    sameMachine: before.includes(` cores of ${processor},`),
  };
}
