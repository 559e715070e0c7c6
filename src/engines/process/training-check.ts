/** A short run of engine/train.py that checks whether a model can be fine-tuned: it reads its config and tokenizer, and no weights. */
import { join } from 'node:path';
import { z } from 'zod';
import { type TrainingCheck, trainerEventSchema, trainingCheckedSchema } from '../../config/contract.ts';
import { projectRoot, tools } from '../../config/installation.ts';
import { onAbort } from '../abort.ts';
import { TrainingImpossible } from '../errors.ts';
import { FineTuneFailed, TrainerExited, TrainerStalled } from '../trainer/errors.ts';
import { lastLogLines, logFileFor, parsedLine, readLines, sizeOf } from './log-file.ts';
import { startProcessGroup } from './process-group.ts';
import type { TrainerProcessOptions } from './trainer-process.ts';

const failedSchema = trainerEventSchema.refine(({ event }) => event === 'failed');
const answerSchema = z.union([trainingCheckedSchema, failedSchema]);

/**
 * @param baseModel a folder or a hub id: see `resolveModel`
 * @throws TrainingImpossible; FineTuneFailed, TrainerExited and TrainerStalled when it cannot be found out; the signal's reason
 */
export async function runTrainingCheck(
  baseModel: string,
  check: TrainingCheck,
  options: Pick<TrainerProcessOptions, 'logFolder' | 'command' | 'stallMs'>,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const logFile = await logFileFor(options.logFolder, 'trainer');
  const logStart = sizeOf(logFile);
  const [program, ...first] = options.command ?? [tools().python, join(projectRoot, 'engine', 'train.py')];
  const args = [...first, '--check', baseModel];
  const group = await startProcessGroup(program, args, { logFile, cwd: projectRoot });
  const stopListening = onAbort(signal, () => void group.stop(0));
  const { stallMs = 600_000 } = options;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    void group.stop(0);
  }, stallMs);
  let answer: z.infer<typeof answerSchema> | undefined;
  readLines(group.stdout, (line) => {
    answer ??= parsedLine(line, answerSchema);
  });
  group.stdin.write(`${JSON.stringify(check)}\n`);
  const status = await group.exited;
  stopListening();
  clearTimeout(timer);
  signal.throwIfAborted();
  if (late) throw new TrainerStalled('the check', stallMs, logFile, lastLogLines(logFile, logStart));
  if (answer === undefined)
    throw new TrainerExited('The check', status, logFile, lastLogLines(logFile, logStart));
  if (!('event' in answer) || answer.event !== 'failed') return;
  const { kind, message } = answer;
  if (kind === 'internal') throw new FineTuneFailed('The check', kind, message);
  throw new TrainingImpossible(message);
}
