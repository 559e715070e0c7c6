/**
 * `npx tsx scripts/screenshots/make.ts` makes docs/images/*.png again: Temporal's web UI with an experiment that runs, one that is parked and
 * one that has finished. The server, the UI, the worker and Chromium are real; the model is the tests' instant one.
 */
import { mkdir, rm } from 'node:fs/promises';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { useLocalServer } from '../../src/cli/server/connect.ts';
import { experimentDetails, experimentSummary } from '../../src/cli/experiment/run.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { projectRoot } from '../../src/config/installation.ts';
import { startDevServer } from '../../src/workers/dev-server.ts';
import { startWorkers } from '../../src/workers/start.ts';
import { taskQueues } from '../../src/workflows/temporal.ts';
import { type Progress, progressQuery } from '../../src/workflows/progress.ts';
import { openPage, startChromium } from './browser.ts';
import { startInstantEngine } from '../../test/support/instant-engine.ts';
import { testDependencies } from '../../test/support/test-dependencies.ts';
import { until } from '../../test/support/until.ts';

const folder = join(projectRoot, 'docs', 'images');
const storeRoot = mkdtempSync(join(tmpdir(), 'colloquy-screenshots-'));
process.env['COLLOQUY_STORE'] = storeRoot;
process.env['COLLOQUY_SEARCH_ATTRIBUTES'] = '1';

const input = (questions: number, iterations: number) => ({
  preset: 'quickstart',
  iterations,
  shard_size: 16,
  allow_few_steps: true,
  task: { train_size: questions, test_size: 128 },
  model: { endpoint: 'instant', model_name_or_path: 'instant' },
});

const stop = new AbortController();
const server = await startDevServer({ port: 0, uiPort: 0, dbFilename: join(storeRoot, 'temporal.db') });
useLocalServer(server.address);
const engine = await startInstantEngine(['--delay', '20']);
const workers = startWorkers({
  signal: stop.signal,
  dependencies: testDependencies({
    storeRoot,
    engineUrl: engine.url,
    trainerArgs: ['--steps', '40', '--step-ms', '20'],
  }),
});
const connection = await Connection.connect({ address: server.address });
const client = new Client({ connection });
const start = (workflowId: string, experiment: object) =>
  client.workflow.start('experiment', {
    workflowId,
    taskQueue: taskQueues.control,
    args: [experiment],
    staticSummary: experimentSummary(resolveConfig(experiment)),
    staticDetails: experimentDetails(workflowId),
  });
/** Not asked too often: the server counts the UI's questions and ours together, and refuses the last ones. */
const progressOf = async (name: string): Promise<Progress | undefined> => {
  await pause(1_000);
  return client.workflow
    .getHandle(name)
    .query(progressQuery)
    .catch(() => undefined);
};

const browser = await startChromium();
try {
  await mkdir(folder, { recursive: true });
  const finished = await start('arithmetic', input(64, 2));
  await finished.result();
  await shoot('arithmetic', 'finished');

  const running = await start('nightly-math', input(4096, 3));
  await until(
    'it debates',
    async () => {
      const progress = await progressOf('nightly-math');
      return progress?.phase === 'debating' && progress.done > 60;
    },
    120_000,
  );
  await shoot('nightly-math', 'running');
  await running.terminate('photographed');

  await engine.answerWith(403);
  await start('over-quota', input(64, 1));
  await until('it is parked', async () => (await progressOf('over-quota'))?.waiting.length === 8);
  await shoot('over-quota', 'parked');
} finally {
  await browser.close();
  stop.abort();
  await workers;
  await connection.close();
  await engine[Symbol.asyncDispose]();
  await server.stop();
  await rm(storeRoot, { recursive: true, force: true });
}

/** The page with a workflow's current details: the tab User Metadata. */
async function shoot(name: string, image: string): Promise<void> {
  const { runId } = await client.workflow.getHandle(name).describe();
  const file = join(folder, `${image}.png`);
  const url = `${server.uiUrl}/namespaces/default/workflows/${name}/${runId}/user-metadata`;
  const page = await openPage(browser, url, { width: 1360, height: 860, scheme: 'light' });
  // The UI asks its server for the details after it has loaded, and then draws them.
  await pause(6_000);
  await page.screenshot({ path: file });
  await page.close();
  console.log(file);
}
