/** The workflow bundle of this test run, made once and only when the sources have changed: each worker process reads it. */
import { readPrebuiltBundle } from '../../src/workers/prebuilt-bundle.ts';

export default async function setup(): Promise<void> {
  if ('code' in (await readPrebuiltBundle())) return;
  // Brings Temporal's native core and the bundler: only where it is needed.
  const { makePrebuiltBundle } = await import('../../src/workers/make-prebuilt-bundle.ts');
  await makePrebuiltBundle();
}
