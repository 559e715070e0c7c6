import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { projectRoot } from '../../src/config/installation.ts';
import { cliPage } from '../../scripts/write-reference.ts';

it('docs/cli.md is what the commands say of themselves: npx tsx scripts/write-reference.ts writes it', async () => {
  expect(readFileSync(join(projectRoot, 'docs', 'cli.md'), 'utf8')).toBe(await cliPage());
});
