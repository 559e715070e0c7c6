/**
 * A canary key in the worker's environment, an engine that fails in every way that could give it away, and a search of everything that
 * is kept or shown. Real processes; only the models are stood in for.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { progressQuery, retryUpdate } from '../../src/workflows/progress.ts';
import { completion, json } from '../engines/fixtures/http-server.ts';
import { startScriptedEngine } from '../support/scripted-engine.ts';
import { until } from '../support/until.ts';
import { type Handle, type WorkflowRig, workflowRig } from '../support/workflow-rig.ts';
import { startKeyedWorker } from './keyed-worker.ts';

// With characters that JSON and URLs write differently.
const key = 'sk-canary/"7f3a9c"+0451';
const forms = [key, JSON.stringify(key).slice(1, -1), encodeURIComponent(key), btoa(key)];

/** How the engine answers the questions with these numbers: each a way to give the key away. */
const betrayals = new Map<number, (response: ServerResponse, authorization: string) => void>([
  [3, (response, sent) => json(response, { error: { message: `boom; headers: ${sent}` } }, 500)],
  [40, (response, sent) => response.end(`<html>${sent}</html>`)],
  [60, (response) => response.socket!.resetAndDestroy()],
  [75, (response, sent) => json(response, { ...completion('1'), model: sent })],
  [90, (response, sent) => json(response, { detail: sent }, 429, { 'retry-after': '0.05' })],
  [100, (response, sent) => json(response, completion(`${sent} \\boxed{1}`))],
  [110, (response, sent) => json(response, { error: { message: `Wrong key: ${sent}` } }, 401)],
]);

describe('a key', () => {
  it('is in no history, log, artifact, error, report, heartbeat or process list, whatever the engine does with it', async () => {
    const answered = new Set<number>();
    await using engine = await startScriptedEngine(({ count, asked, text }, response) => {
      const betray = betrayals.get(count);
      if (betray === undefined) return `\\boxed{${text.length % 3}}`;
      answered.add(count);
      betray(response, asked.headers.authorization ?? '');
      return undefined;
    });
    await using rig = await workflowRig('secrets', { worker: false });
    const worker = await startKeyedWorker('secrets', key, [rig.storeRoot, engine.url]);
    const seen: string[] = [];
    const handle = await rig.start('canary', { task: { train_size: 16, test_size: 16 } });

    const finished = handle.result();
    let done = false;
    void finished.finally(() => (done = true)).catch(() => undefined);
    const trainers = new Set<string>();
    await until(
      'the experiment ends',
      async () => {
        seen.push(await described(handle), ...commandLines());
        for (const environment of trainerEnvironments()) trainers.add(environment);
        const progress = await handle.query(progressQuery).catch(() => undefined);
        // The 401 is for a person to mend.
        if (progress?.state === 'parked') await handle.executeUpdate(retryUpdate);
        return done;
      },
      60_000,
    );
    await finished;
    await worker.kill('SIGTERM');

    expect([...answered]).toEqual([...betrayals.keys()]);
    expect(engine.asked.at(-1)?.headers.authorization).toBe(`Bearer ${key}`);
    const history = await histories(rig, 'canary');
    const kept = filesBelow(rig.storeRoot);
    // What is searched is there: the failures by name, the journals, the logs, the trainer's environment.
    for (const name of ['EngineFailed', 'EngineAnswerInvalid', 'EngineRefused', 'Wrong key: Bearer [key]'])
      expect(`${history}${seen.join('')}`).toContain(name);
    expect(kept.get('canary/iteration-0/evaluation/shard-000.journal.jsonl')).toContain('boxed');
    expect([...kept].some(([path, text]) => path.startsWith('logs/') && text.length > 0)).toBe(true);
    expect([...trainers].some((environment) => environment.includes('PATH='))).toBe(true);

    const places = new Map([
      ...kept,
      ['histories', history],
      ['descriptions and command lines', seen.join('\n')],
      ['stdout and stderr', worker.output()],
      ['environments of trainers', [...trainers].join('\n')],
    ]);
    const found = [...places].filter(([, text]) => forms.some((form) => text.includes(form)));
    expect(found.map(([place]) => place)).toEqual([]);
  }, 90_000);
});

/** Pending activities with their heartbeats and last failures, details and memos: all that `describe` gives. */
async function described(handle: Handle): Promise<string> {
  return textOf((await handle.describe()).raw);
}

async function histories(rig: WorkflowRig, workflowId: string): Promise<string> {
  const texts: string[] = [];
  for await (const { runId } of rig.client.workflow.list({ query: `WorkflowId = "${workflowId}"` }))
    texts.push(textOf(await rig.client.workflow.getHandle(workflowId, runId).fetchHistory()));
  return texts.join('\n');
}

/** All strings and bytes anywhere in a message of Temporal's. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (typeof value !== 'object' || value === null) return '';
  return Object.values(value).map(textOf).join('\n');
}

function filesBelow(folder: string): Map<string, string> {
  return new Map(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path.slice(folder.length + 1), readFileSync(path, 'latin1')]),
  );
}

function commandLines(): string[] {
  return processes().map((pid) => ofProcess(pid, 'cmdline'));
}

/** Of the trainers that run, with whatever workers. */
function trainerEnvironments(): string[] {
  return processes()
    .filter((pid) => ofProcess(pid, 'cmdline').includes('instant-trainer.mjs\0--exit-with-parent'))
    .map((pid) => ofProcess(pid, 'environ'));
}

function processes(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** Empty when it has just gone. */
function ofProcess(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}
