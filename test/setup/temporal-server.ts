/**
 * One Temporal dev server for the whole test run, in memory and on a free port. It starts when the first test file asks
 * for its address (`temporalAddress()` in `temporal-address.ts`), so a run without such a file never waits for it.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { TestProject } from 'vitest/node';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  let server: Promise<TestWorkflowEnvironment> | undefined;
  // A setting of Go programs: the Temporal servers collect garbage less often, since they live for minutes and there is enough memory.
  process.env['GOGC'] ??= '300';
  // One thread does their work with a sixth less CPU time than as many as there are cores.
  process.env['GOMAXPROCS'] ??= '1';
  // The tests run in other processes: they ask by HTTP.
  const door = createServer((_, response) => {
    server ??= startServer();
    server.then(
      ({ address }) => response.end(address),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
  // A TCP server's address is always an AddressInfo (it is a string for pipes only).
  project.provide('temporalDoor', `http://127.0.0.1:${(door.address() as AddressInfo).port}`);

  return async () => {
    door.close();
    await (await server?.catch(() => undefined))?.teardown();
  };
}

/** The import brings Temporal's native core: only where it is needed. */
async function startServer(): Promise<TestWorkflowEnvironment> {
  const { startTestEnvironment } = await import('../support/test-environment.ts');
  return startTestEnvironment(namespaces);
}

/** Files that start workers have a namespace each, because the queues' names are the product's own. */
const namespaces = [
  'ui',
  'workflows',
  'golden',
  'own-models',
  'observed',
  'embedded',
  'hosted',
  'replay',
  'taken-over',
  'distilled',
  'asking',
  'versions',
  'recorded',
  'nights',
  'guard',
  'budget',
  'total-budget',
  'nights-scheduled',
  'cli-schedule',
  'cli-study',
  'secrets',
  'hostile',
  'study',
];

declare module 'vitest' {
  interface ProvidedContext {
    temporalDoor: string;
  }
}
