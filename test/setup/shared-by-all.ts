/**
 * What one test run makes once, for all of its files, when the first of them asks for it: a Temporal dev server, in memory and on a
 * free port, and the bundled workflows. A run without such a file never waits for them.
 */
import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { TestProject } from 'vitest/node';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  let server: Promise<TestWorkflowEnvironment> | undefined;
  let code: Promise<string> | undefined;
  const answers: Readonly<Record<string, () => Promise<string>>> = {
    '/temporal-address': async () => (await (server ??= startServer())).address,
    '/workflow-code': () => (code ??= bundleWorkflows()),
  };
  // The tests run in other processes: they ask by HTTP.
  const door = createServer((request, response) => {
    const answer =
      answers[request.url ?? ''] ?? (() => Promise.reject(new Error(`Nothing at ${request.url}`)));
    answer().then(
      (text) => response.end(text),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
  // A TCP server's address is always an AddressInfo (it is a string for pipes only).
  project.provide('door', `http://127.0.0.1:${(door.address() as AddressInfo).port}`);

  return async () => {
    door.close();
    await (await server?.catch(() => undefined))?.teardown();
    const codePath = await code?.catch(() => undefined);
    if (codePath !== undefined) await rm(codePath);
  };
}

/** Both bring Temporal's native core and the bundler: only where it is needed. */
async function startServer(): Promise<TestWorkflowEnvironment> {
  const { startTestEnvironment } = await import('../support/test-environment.ts');
  return startTestEnvironment(namespaces);
}
async function bundleWorkflows(): Promise<string> {
  const { workflowCode } = await import('../support/worker-code.ts');
  return workflowCode();
}

/** Files that start workers have a namespace each, because the queues' names are the product's own. */
const namespaces = [
  'workflows',
  'golden',
  'observed',
  'embedded',
  'replay',
  'versions',
  'recorded',
  'nights',
  'nights-scheduled',
  'cli-schedule',
  'cli-study',
  'secrets',
  'hostile',
  'study',
];

declare module 'vitest' {
  interface ProvidedContext {
    door: string;
  }
}
