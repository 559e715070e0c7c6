/** The list of all experiments and studies that the server knows. */
import { isUnreadable } from '../../store/errors.ts';
import { readDocument } from '../../store/files/documents.ts';
import { experimentNameSchema } from '../../config/names.ts';
import { experimentResultSchema } from '../../store/records/result.ts';
import { experimentFiles, openStore } from '../../store/store.ts';
import { percent } from '../../text/figures.ts';
import { searchAttributes } from '../../workflows/server-names.ts';
import type { WorkflowExecutionInfo } from '@temporalio/client';
import type { Temporal } from '../server/connect.ts';
import { hasWorker } from '../server/workflow.ts';
import { printTable } from '../terminal.ts';
import { whereText } from './progress.ts';
import { readProgress } from './snapshot.ts';

/** The latest run of an experiment or a study. */
export type Listed = {
  readonly name: string;
  readonly kind: string;
  readonly status: string;
  /** Where a running experiment is; null where that is not known. */
  readonly phase: string | null;
  /** The held-out accuracy of the newest debate, 0..1; null where that is not known. */
  readonly accuracy: number | null;
  readonly startedAt: Date;
  readonly closedAt: Date | undefined;
};

/**
 * All experiments and studies, newest first.
 *
 * @param filter a text that the name, the kind or the state has to contain; all when it is undefined
 */
export async function listAll(temporal: Temporal, filter?: string): Promise<Listed[]> {
  const latest = await latestRuns(temporal);
  const answering = latest.some(isRunning) && (await hasWorker(temporal));
  const asked = new Set(latest.filter(isRunning).slice(0, answering ? mostAsked : 0));
  const listed = await Promise.all(
    latest.map(async (each) => ({ ...each, ...(await details(temporal, each, asked.has(each))) })),
  );
  return filter === undefined ? listed : listed.filter((each) => matches(each, filter));
}

/** Whether the name, the kind or the state contains a text, ignoring case. */
export function matches(
  { name, kind, status }: Pick<Listed, 'name' | 'kind' | 'status'>,
  text: string,
): boolean {
  return [name, kind, status].some((each) => each.toLowerCase().includes(text.toLowerCase()));
}

/** Only the newest are asked, because each query may take a worker a moment. */
const mostAsked = 50;

function isRunning({ kind, status }: Listed): boolean {
  return kind === 'experiment' && status === 'running';
}

async function latestRuns({ client }: Temporal): Promise<Listed[]> {
  const byName = new Map<string, Listed>();
  for await (const each of client.workflow.list({ query: `WorkflowType IN ('experiment', 'study')` })) {
    // The list is newest first, so the first row of a name is its latest run.
    if (byName.has(each.workflowId) || each.status.name === 'CONTINUED_AS_NEW') continue;
    byName.set(each.workflowId, {
      name: each.workflowId,
      kind: each.type,
      status: each.status.name.toLowerCase(),
      phase: null,
      accuracy: accuracyOnServer(each),
      startedAt: each.startTime,
      closedAt: each.closeTime,
    });
  }
  return [...byName.values()];
}

/** From the search attribute, or from the memo where search attributes are not set; null for a run that has neither. */
function accuracyOnServer({ typedSearchAttributes, memo }: WorkflowExecutionInfo): number | null {
  const noted: unknown = typedSearchAttributes.get(searchAttributes.accuracy) ?? memo?.['accuracy'];
  return typeof noted === 'number' ? noted : null;
}

/** The server shows a paused or parked experiment as running. Where a worker answers, the experiment's own state is shown instead. */
async function details(
  { client }: Temporal,
  { name, kind, status, accuracy }: Listed,
  ask: boolean,
): Promise<Partial<Listed>> {
  if (ask) {
    const progress = await readProgress(client, name);
    if (progress === null) return {};
    return {
      status: progress.state,
      phase: whereText(progress),
      accuracy: progress.evaluations.at(-1)?.debate.accuracy ?? null,
    };
  }
  const unknown = kind === 'experiment' && status === 'completed' && accuracy === null;
  return unknown ? { accuracy: await finalAccuracy(name) } : {};
}

/** From the result in this store, where it has one: of a run that an earlier version made. */
async function finalAccuracy(name: string): Promise<number | null> {
  if (!experimentNameSchema.safeParse(name).success) return null;
  try {
    const result = await readDocument(experimentFiles(openStore(), name).result, experimentResultSchema);
    return result?.evaluations.at(-1)?.debate.accuracy ?? null;
  } catch (error) {
    if (isUnreadable(error)) return null;
    throw error;
  }
}

/** Prints the list as a table; the columns that matter least are left out where the terminal is narrow. */
export function printList(listed: readonly Listed[]): void {
  printTable(
    ['experiment', 'state', 'accuracy', 'where', 'kind', 'latest run began', 'ended'],
    listed.map((each) => [
      each.name,
      each.status,
      each.accuracy === null ? '' : percent(each.accuracy),
      each.phase ?? '',
      each.kind,
      timeText(each.startedAt),
      timeText(each.closedAt),
    ]),
  );
}

function timeText(date: Date | undefined): string {
  return date?.toISOString().slice(0, 16).replace('T', ' ') ?? '';
}
