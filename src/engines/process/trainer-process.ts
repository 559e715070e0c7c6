/** The supervised training process (engine/train.py): one resident process that fine-tunes one model after another. */
import { join } from 'node:path';
import {
  type TrainerDone,
  type TrainerEvent,
  trainerEventSchema,
  type TrainerJob,
  type TrainerProgress,
} from '../../config/contract.ts';
import { projectRoot, tools } from '../../config/installation.ts';
import { onAbort } from '../abort.ts';
import type { GpuGate } from '../gpu-gate.ts';
import { FineTuneFailed, TrainerExited, TrainerSpokeGarbage, TrainerStalled } from '../trainer/errors.ts';
import { lastLogLines, logFileFor, readLines, sizeOf } from './log-file.ts';
import { type ProcessGroup, startProcessGroup } from './process-group.ts';

export interface TrainerProcess {
  /**
   * Fine-tunes one model, alone behind the gate, so that jobs wait for each other. When it throws, the whole process group has
   * ended: nothing writes to the job's folders any more.
   *
   * @throws FineTuneFailed, TrainerExited, TrainerStalled, TrainerSpokeGarbage, ToolsMissing, ProcessNotStarted; the
   *   signal's reason, after the process has written a checkpoint
   */
  fineTune(job: TrainerJob, options: FineTuneOptions): Promise<TrainerDone>;
  /** Ends the process, which frees its memory. The next job starts another one. */
  close(): Promise<void>;
}

export interface FineTuneOptions {
  /** Called for each event except the last, in order. An error that it throws ends the job. */
  readonly onEvent?: (event: TrainerProgress) => void;
  readonly signal: AbortSignal;
}

export interface TrainerProcessOptions {
  readonly logFolder: string;
  /** Keeps training and answers from using the GPU at the same time. */
  readonly gate: GpuGate;
  /** The program and its first arguments; by default the product's Python and engine/train.py. */
  readonly command?: readonly [string, ...string[]];
  /** More arguments: `--threads N`. */
  readonly args?: readonly string[];
  /** The longest silence in the middle of a job. Milliseconds; by default 10 minutes. */
  readonly stallMs?: number;
  /** The time for a checkpoint between SIGTERM and SIGKILL. Milliseconds; by default 20 s. */
  readonly graceMs?: number;
}

/** A training process that the first job starts. */
export function createTrainerProcess(options: TrainerProcessOptions): TrainerProcess {
  const { gate, stallMs = 600_000, graceMs = 20_000 } = options;
  let resident: Resident | undefined;

  async function start(): Promise<Resident> {
    const logFile = await logFileFor(options.logFolder, 'trainer');
    const logStart = sizeOf(logFile);
    const [program, ...first] = options.command ?? [tools().python, join(projectRoot, 'engine', 'train.py')];
    const args = [...first, '--exit-with-parent', ...(options.args ?? [])];
    const group = await startProcessGroup(program, args, { logFile, cwd: projectRoot });
    const started: Resident = { group, logFile, logStart, onLine: () => undefined };
    readLines(group.stdout, (line) => started.onLine(line));
    void group.exited.then(() => {
      if (resident === started) resident = undefined;
    });
    resident = started;
    return started;
  }

  async function work(job: TrainerJob, { onEvent, signal }: FineTuneOptions): Promise<TrainerDone> {
    signal.throwIfAborted();
    const trainer = resident ?? (await start());
    let stall: NodeJS.Timeout | undefined;
    let stopListening = (): void => undefined;
    const lastLines = (): string => lastLogLines(trainer.logFile, trainer.logStart);

    const done = new Promise<TrainerDone>((resolve, reject) => {
      const watch = (): void => {
        clearTimeout(stall);
        stall = setTimeout(
          () => reject(new TrainerStalled(job.id, stallMs, trainer.logFile, lastLines())),
          stallMs,
        );
      };
      trainer.onLine = (line) => {
        try {
          const event = parseEvent(line, trainer.logFile);
          watch();
          // A late event of an earlier job changes nothing about this one.
          if (event.event === 'ready' || (event.id ?? job.id) !== job.id) return;
          if (event.event === 'done') resolve(event);
          else if (event.event === 'failed') reject(new FineTuneFailed(job.id, event.kind, event.message));
          else onEvent?.(event);
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      // The reason of an abort is the caller's own; it is passed on as it is.
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors
      stopListening = onAbort(signal, () => reject(signal.reason));
      void trainer.group.exited.then((status) =>
        reject(new TrainerExited(job.id, status, trainer.logFile, lastLines())),
      );
      watch();
      trainer.group.stdin.write(`${JSON.stringify(job)}\n`);
    });

    try {
      return await done;
    } catch (error) {
      if (resident === trainer) resident = undefined;
      clearTimeout(stall);
      // `onLine` listens until the process has ended: `onEvent` is also called for the checkpoint that is written before the end.
      await trainer.group.stop(graceMs);
      throw error;
    } finally {
      clearTimeout(stall);
      stopListening();
      trainer.onLine = () => undefined;
    }
  }

  return {
    fineTune: (job, options) =>
      gate.exclusive(
        options.signal,
        () => work(job, options),
        job.settings.method === 'full' ? 'all memory' : undefined,
      ),
    async close() {
      await resident?.group.stop(graceMs);
    },
  };
}

interface Resident {
  readonly group: ProcessGroup;
  readonly logFile: string;
  /** Size of the log when the process was started. Bytes. */
  readonly logStart: number;
  onLine: (line: string) => void;
}

function parseEvent(line: string, logFile: string): TrainerEvent {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    throw new TrainerSpokeGarbage(line, 'not JSON', logFile);
  }
  const parsed = trainerEventSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new TrainerSpokeGarbage(line, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`, logFile);
}
