/**
 * `npx tsx scripts/write-docs-output.ts PAGE ...` runs the commands of pages of the documentation and writes what they print into them.
 * `--check` writes nothing, and fails when a command fails or prints something else. Without pages: all examples, then the tutorial.
 * What such a page looks like: docs-output/page.ts.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { differences } from './docs-output/page.ts';
import { pagesWithCommands, runPage } from './docs-output/written.ts';

const project = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
const words = process.argv.slice(2);
const check = words.includes('--check');
const named = words.filter((word) => !word.startsWith('--'));

// The copies use this clone's packages.
execFileSync(process.execPath, ['scripts/setup.mjs'], { cwd: project, stdio: 'ignore' });
for (const path of named.length > 0 ? named : pagesWithCommands(project)) {
  console.log(`${path}${check ? ': checking' : ''}`);
  const { before, after, sameMachine } = await runPage(project, path, (line) => console.log(`  ${line}`));
  if (!check) {
    writeFileSync(join(project, path), after);
    continue;
  }
  const found = differences(before, after, sameMachine);
  if (found.length === 0) continue;
  console.error(`${path} shows other outputs than its commands print now:\n${found.join('\n')}`);
  console.error(`If these are right:  npx tsx scripts/write-docs-output.ts ${path}`);
  process.exitCode = 1;
}
