import { createRequire } from 'node:module';
import { bundleWorkflows } from '../workers/bundle.ts';

/**
 * Bundles the workflows together with OpenTelemetry's interceptors.
 *
 * @throws ForbiddenImport when the sources import what no bundle may hold
 */
export async function tracedBundle(): Promise<{ readonly code: string }> {
  const { resolve } = createRequire(import.meta.url);
  const modules = [resolve('@temporalio/interceptors-opentelemetry/lib/workflow-interceptors')];
  const { code } = await bundleWorkflows(undefined, { modules, packages });
  return { code };
}

/** What the interceptors bring with them. */
const packages = ['api', 'core', 'resources', 'sdk-trace-base', 'semantic-conventions'].map(
  (name) => `@opentelemetry/${name}`,
);
