/**
 * `npx tsx scripts/write-docs-output.ts PAGE ...` runs the commands of pages of the documentation and writes what they print into them.
 * `--check` writes nothing, and fails when a command fails or prints something else. Without pages: the tutorial and all examples.
 * What a page looks like: docs-output/page.ts.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, type } from 'node:os';
import { fileURLToPath } from 'node:url';
import { differences, parsePage, stepsOf, writtenPage } from './docs-output/page.ts';
import { play } from './docs-output/play.ts';
import { pagesWithCommands } from './docs-output/pages.ts';

const project = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
const words = process.argv.slice(2);
const check = words.includes('--check');
const named = words.filter((word) => !word.startsWith('--'));

// The copies use this clone's packages.
execFileSync(process.execPath, ['scripts/setup.mjs'], { cwd: project, stdio: 'ignore' });
for (const path of named.length > 0 ? named : pagesWithCommands(project)) {
  console.log(`${path}${check ? ': checking' : ''}`);
  const before = readFileSync(path, 'utf8');
  const parts = parsePage(before);
  const printed = await play(stepsOf(parts), project, (line) => console.log(`  ${line}`));
  const after = writtenPage(parts, printed, machineSentence(path));
  if (!check) {
    writeFileSync(path, after);
    continue;
  }
  const found = differences(before, after, before.includes(` ${processor()}`));
  if (found.length === 0) continue;
  console.error(`${path} shows other outputs than its commands print now:\n${found.join('\n')}`);
  console.error(`If these are right:  npx tsx scripts/write-docs-output.ts ${path}`);
  process.exitCode = 1;
}

function machineSentence(path: string): string {
  return (
    `Printed on ${new Date().toISOString().slice(0, 10)} on ${type()}, ${availableParallelism()} cores of ${processor()}, ` +
    `Node ${process.versions.node}. \`npx tsx scripts/write-docs-output.ts ${path}\` runs the commands of this page and writes what they print.`
  );
}

function processor(): string {
  return cpus()[0]?.model ?? 'an unknown processor';
}
