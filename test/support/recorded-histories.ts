import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from '@temporalio/worker';
import { z } from 'zod';

export const historiesFolder = fileURLToPath(new URL('../histories', import.meta.url));

const historySchema = z.looseObject({
  events: z
    .tuple([
      z.looseObject({ workflowExecutionStartedEventAttributes: z.looseObject({ workflowId: z.string() }) }),
    ])
    .rest(z.unknown()),
});

/** The files of recorded histories, e.g. `completed.2.json`: shape, and which of its runs. */
export const recordedFiles: readonly string[] = readdirSync(historiesFolder).toSorted();

/** Replays the recorded histories, of one shape or all, one after another; `difference` says why one does not replay. */
export async function* replayRecorded(
  workflowBundle: { readonly code: string },
  shape?: string,
): AsyncGenerator<{ readonly file: string; readonly difference: string | undefined }> {
  const files = recordedFiles.filter((file) => shape === undefined || file.startsWith(`${shape}.`));
  const histories = files.map((file) => {
    const history = historySchema.parse(JSON.parse(readFileSync(join(historiesFolder, file), 'utf8')));
    return { workflowId: history.events[0].workflowExecutionStartedEventAttributes.workflowId, history };
  });
  let index = 0;
  for await (const { error } of Worker.runReplayHistories({ workflowBundle }, histories))
    yield { file: files[index++]!, difference: error?.message };
}
