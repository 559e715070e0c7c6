import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

/** The workflows bundled from their sources with OpenTelemetry's interceptors, which the prebuilt bundle does not have. */
export function tracedBundle(): Promise<{ readonly code: string }> {
  const { resolve } = createRequire(import.meta.url);
  return bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
    workflowInterceptorModules: [resolve('@temporalio/interceptors-opentelemetry/lib/workflow-interceptors')],
    logger: new DefaultLogger('WARN'),
  });
}
