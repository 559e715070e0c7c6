/** The environment variable with the address of this test run's bundle (test/setup/workflow-bundle.ts). */
export const bundleAddress = 'COLLOQUY_TEST_BUNDLE';

/**
 * Workflow code that captures no stack traces, with an empty source map. For each promise of a workflow the SDK captures a stack trace
 * and looks up its places in the source map, so that the UI can show where a workflow waits. That takes a third of the CPU time of a
 * replay, and no test looks at it. To see where a workflow fails in a test, return the code as it is.
 */
export function withoutStackTraces(code: string): string {
  const end = code.lastIndexOf(mapBegins);
  const { file } = JSON.parse(Buffer.from(code.slice(code.indexOf(',', end) + 1), 'base64').toString()) as {
    file: string;
  };
  const map = JSON.stringify({ version: 3, file, sources: [], names: [], mappings: '' });
  return `Error.stackTraceLimit = 0;${code.slice(0, end)}${mapBegins}application/json;base64,${btoa(map)}`;
}

const mapBegins = '//# sourceMappingURL=data:';

/**
 * The code of today's workflows: the bundle that all files of a test run share, which bundling again in each would make
 * slower by 2 s a file. Outside a test run, and in a copy of the sources that a test has changed, it is bundled here.
 */
export async function sharedBundle(): Promise<{ readonly code: string }> {
  const address = process.env[bundleAddress];
  if (!address) return (await import('../../src/workers/bundle.ts')).bundleWorkflows();
  const response = await fetch(address);
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return { code: text };
}
