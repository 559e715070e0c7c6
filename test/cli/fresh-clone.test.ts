import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { projectRoot } from '../../src/config/installation.ts';
import { oddNameOfProject } from '../support/scratch-folder.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';

it('`colloquy` in a fresh clone says what to run first, as a line that a shell takes', () => {
  const clone = temporaryFolder(oddNameOfProject);
  cpSync(join(projectRoot, 'bin'), join(clone, 'bin'), { recursive: true });
  const { status, stderr } = spawnSync(process.execPath, [join(clone, 'bin', 'colloquy.mjs'), 'status'], {
    encoding: 'utf8',
  });
  expect(status).toBe(1);
  expect(stderr).toContain('is not set up yet');
  expect(stderr).not.toContain('    at ');
  const line = /Run this once: {2}(.*)/.exec(stderr)?.[1] ?? '';
  const shell = spawnSync('sh', ['-c', line.replace('node scripts/setup.mjs', 'pwd')], { encoding: 'utf8' });
  expect(shell.stdout.trim()).toBe(clone);
});
