import { workflowCode } from './worker-code.ts';

/** A file of today's workflows, bundled: once for all files of a test run, where there is one. */
export async function sharedWorkflowCode(): Promise<string> {
  if (process.env['VITEST'] === undefined) return workflowCode();
  // Vitest gives this to its tests alone; the same code records histories and makes chaos.
  const { askDoor } = await import('../setup/door.ts');
  return askDoor('workflow-code');
}
