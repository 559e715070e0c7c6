/**
 * One workflow bundle for the whole test run. It is made when the first test file, or the first worker process of one, asks for
 * it (`sharedBundle()` in test/support/shared-bundle.ts), so a run without workflows never waits for it.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestProject } from 'vitest/node';
import type { BundledWorkflows } from '../../src/workers/bundle.ts';
import { bundleAddress, withoutStackTraces } from '../support/shared-bundle.ts';

export default async function setup(project: TestProject): Promise<() => void> {
  let bundle: Promise<BundledWorkflows> | undefined;
  const door = createServer((_, response) => {
    // The import brings Temporal's native core and the bundler: only where they are needed.
    bundle ??= import('../../src/workers/bundle.ts').then(({ bundleWorkflows }) => bundleWorkflows());
    bundle.then(
      ({ code }) => response.end(withoutStackTraces(code)),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
  // Test files and the processes that they start inherit it. A TCP server's address is always an AddressInfo.
  process.env[bundleAddress] = `http://127.0.0.1:${(door.address() as AddressInfo).port}`;
  project.onTestsRerun(() => {
    bundle = undefined;
  });
  return () => {
    door.close();
    door.closeAllConnections();
  };
}
