import { Runtime } from '@temporalio/worker';
import { bundleWorkflows } from './bundle-workflows.ts';
import { readPrebuiltBundle } from './prebuilt-bundle.ts';

/**
 * The code of today's workflows: what `npm run build` has made where it fits the sources, otherwise bundled now (some 2 s). Which
 * of them it was is told in the worker's log.
 *
 * @throws ForbiddenImport when the sources import what no bundle may hold
 */
export async function workflowBundle(): Promise<{ readonly code: string }> {
  const { logger } = Runtime.instance();
  const prebuilt = await readPrebuiltBundle();
  if ('code' in prebuilt) {
    logger.info('Running the workflow bundle in dist/');
    return prebuilt;
  }
  logger.info(
    `Bundling the workflows from their sources; the bundle in dist/ is not used: ${prebuilt.unfit}`,
  );
  const { code } = await bundleWorkflows();
  return { code };
}
