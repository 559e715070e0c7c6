/** A shard with long answers in a worker with little memory, and after a crash. In processes of their own. */
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { outputOf } from '../../store/faults/run-child.ts';
import { temporaryFolder } from '../../store/temporary-folder.ts';
import { until } from '../../support/until.ts';

const script = fileURLToPath(new URL('debates-in-little-memory.ts', import.meta.url));
/** Requests that the worker has in flight at once. */
const slots = 16;
const [shards, questions, answerBytes] = [8, 12, 40_000];
/** With three agents in three rounds: nine answers and six summaries. */
const answers = shards * questions * 15;

it('debates whose texts together need more memory than a worker has are held all the same, and after a crash no journalled answer is asked for again', async () => {
  const folder = temporaryFolder();
  const log = join(folder, 'asked');
  const worker = () =>
    spawn(
      process.execPath,
      [
        '--max-old-space-size=96',
        '--import',
        'tsx',
        script,
        folder,
        log,
        ...[shards, questions, answerBytes].map(String),
      ],
      { stdio: 'pipe' },
    );
  const lines = () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []);
  const killed = worker();
  await until('a third is answered', () => lines().length > answers / 3, 120_000);
  killed.kill('SIGKILL');
  await once(killed, 'close');
  expect(JSON.parse(await outputOf(worker()))).toEqual(Array.from({ length: shards }, () => questions));
  const asked = (await readFile(log, 'utf8')).trim().split('\n');
  expect(new Set(asked).size).toBe(answers);
  // What was in flight at the crash is asked for once more.
  expect(asked.length - answers).toBeLessThanOrEqual(slots);
}, 300_000);
