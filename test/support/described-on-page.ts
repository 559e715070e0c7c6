import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { projectRoot } from '../../src/config/installation.ts';

type Described = readonly { readonly name: string; readonly description: string }[];

/** What the server says of a workflow. */
export type Metadata = {
  readonly currentDetails?: string;
  readonly definition?: { readonly updateDefinitions?: Described; readonly queryDefinitions?: Described };
};

/** Fails unless docs/temporal.md has the queries and updates of an experiment as the server describes them, and no others. */
export async function expectDescribedOnPage(definition: Metadata['definition'] = {}): Promise<void> {
  const page = await readFile(join(projectRoot, 'docs', 'temporal.md'), 'utf8');
  const { updateDefinitions = [], queryDefinitions = [] } = definition;
  const queries = queryDefinitions.filter(({ name }) => !name.startsWith('__'));
  expect(queries.map(({ name, description }) => `| \`experiment\` | \`${name}\` | ${description} |`)).toEqual(
    [...(page.match(/^\| `experiment` \| `\w+` \| [A-Z].*$/gm) ?? [])],
  );
  expect(
    updateDefinitions.map(({ name, description }) => `| \`${name}\` | ${description} |`).toSorted(),
  ).toEqual((page.match(/^\| `\w+` \| [A-Z][^|]*\|$/gm) ?? []).toSorted());
}
