import { TestWorkflowEnvironment } from '@temporalio/testing';
import { tools } from '../../src/config/installation.ts';
import { searchAttributes } from '../../src/workflows/track-progress.ts';
import { restartAtOnce } from './restart-at-once.ts';

/**
 * A Temporal dev server in memory, with the CLI that set-up has installed (the SDK would download one), the search attributes of
 * Colloquy, and these namespaces beside `default`.
 */
export function startTestEnvironment(namespaces: readonly string[] = []): Promise<TestWorkflowEnvironment> {
  return TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path: tools().temporal },
      log: { format: 'pretty', level: 'never' },
      searchAttributes: Object.values(searchAttributes),
      extraArgs: [...restartAtOnce, ...namespaces.flatMap((namespace) => ['--namespace', namespace])],
    },
  });
}
