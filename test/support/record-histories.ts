/**
 * `npm run record-histories [-- SHAPE...]`: makes the histories in test/histories with today's workflow code, a real Temporal server
 * and the instant engine and trainer. Never for a released version, whose histories stay as they were: see CONTRIBUTING.md.
 */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { startInstantEngine } from './instant-engine.ts';
import { historiesFolder } from './recorded-histories.ts';
import { recordedShapes, type RecordingWorld } from './recorded-shapes.ts';
import { temporalCli } from './temporal-cli.ts';
import { startTestEnvironment } from './test-environment.ts';
import { startWorkerProcess } from './worker-process.ts';

const shownSchema = z.object({ events: z.array(z.unknown()) });

const wanted = process.argv.slice(2);
const shapes = Object.entries(recordedShapes).filter(
  ([shape]) => wanted.length === 0 || wanted.includes(shape),
);
const storeRoot = await mkdtemp(join(tmpdir(), 'colloquy-recording-'));
const server = await startTestEnvironment();
// For the `temporal` command too.
process.env['TEMPORAL_ADDRESS'] = server.address;
try {
  await using engine = await startInstantEngine();
  const world = { client: server.client, engine, storeRoot };
  for (const [shape, make] of shapes) {
    const searchAttributes = ['searchable', 'described'].includes(shape) ? '1' : '0';
    const environment = { COLLOQUY_SEARCH_ATTRIBUTES: searchAttributes };
    const worker = await startWorkerProcess(environment, { storeRoot, engineUrl: engine.url });
    try {
      await make(world);
    } finally {
      await worker.kill('SIGTERM');
    }
    console.log(await writeHistories(world, shape));
  }
} finally {
  await server.teardown();
  await rm(storeRoot, { recursive: true, force: true });
}

/** A file for each run of the shape's workflows, in the order of their beginnings. */
async function writeHistories({ client }: RecordingWorld, shape: string): Promise<string> {
  const runs: { workflowId: string; runId: string; startTime: Date }[] = [];
  for await (const run of client.workflow.list()) if (run.workflowId.startsWith(shape)) runs.push(run);
  runs.sort(
    (a, b) => a.workflowId.localeCompare(b.workflowId) || a.startTime.getTime() - b.startTime.getTime(),
  );
  for (const file of await readdir(historiesFolder))
    if (file.startsWith(`${shape}.`)) await rm(join(historiesFolder, file));
  const sizes: string[] = [];
  for (const [index, { workflowId, runId }] of runs.entries()) {
    const shown = await temporalCli(['workflow', 'show', '-w', workflowId, '-r', runId, '--output', 'json']);
    const lines = shownSchema.parse(JSON.parse(shown)).events.map((event) => JSON.stringify(event));
    const text = `{"events":[\n${lines.join(',\n')}\n]}\n`;
    await writeFile(join(historiesFolder, `${shape}.${index + 1}.json`), text);
    sizes.push(`${lines.length} events, ${Math.ceil(text.length / 1000)} kB`);
  }
  return `${shape}: ${sizes.join('; ')}`;
}
