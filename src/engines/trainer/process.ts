/** The supervised trainer (engine/train.py): one resident process that fine-tunes one model after another. */
import { join } from 'node:path';
import { projectRoot, tools } from '../../config/installation.ts';
import { onAbort } from '../abort.ts';
import { createGpuGate } from '../gpu-gate.ts';
import { lastLogLines, logFileFor, readLines, sizeOf } from '../process/log-file.ts';
import { type ProcessGroup, startProcessGroup } from '../process/process-group.ts';
import { FineTuneFailed, TrainerExited, TrainerSpokeGarbage, TrainerStalled } from './errors.ts';
import { type TrainerDone, type TrainerEvent, trainerEventSchema, type TrainerProgress } from './events.ts';

export interface Trainer {
  /**
   * Fine-tunes one model; jobs wait for each other. Whatever goes wrong, the trainer's whole process group has ended before
   * this throws: nothing goes on writing to the job's folders.
   *
   * @throws FineTuneFailed, TrainerExited, TrainerStalled, TrainerSpokeGarbage, ToolsMissing, ProcessNotStarted; the
   *   signal's reason, after the checkpoint that the abort had it write
   */
  fineTune(job: TrainerJob, options: FineTuneOptions): Promise<TrainerDone>;
  /** Ends the process, so that it gives its memory back; the next job starts another. */
  close(): Promise<void>;
}

/** A job of the trainer's protocol, which has the names. Paths are absolute. */
export interface TrainerJob {
  readonly id: string;
  /** A folder or a hub id: see `resolveModel`. */
  readonly base_model: string;
  readonly init_adapter: string | null;
  readonly dataset: string;
  readonly output_dir: string;
  readonly checkpoint_dir: string;
  readonly seed: number;
  /** TRL's and PEFT's names; `use_peft` is true unless told. */
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface FineTuneOptions {
  /** Called for each event but the last, in order; what it throws ends the job. */
  readonly onEvent?: (event: TrainerProgress) => void;
  readonly signal: AbortSignal;
}

export interface TrainerOptions {
  readonly logFolder: string;
  /** The program and its first arguments: the product's Python and engine/train.py unless told. */
  readonly command?: readonly [string, ...string[]];
  /** More arguments: `--threads N`. */
  readonly args?: readonly string[];
  /** How long it may say nothing in the middle of a job. Milliseconds; 10 minutes unless told. */
  readonly stallMs?: number;
  /** How long a checkpoint may take between SIGTERM and SIGKILL. Milliseconds; 20 s unless told. */
  readonly graceMs?: number;
}

/** A supervised trainer, not started yet. */
export function createTrainer(options: TrainerOptions): Trainer {
  const { stallMs = 600_000, graceMs = 20_000 } = options;
  const turns = createGpuGate();
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
          // One more word about an earlier job changes nothing about this one.
          if (event.event === 'ready' || (event.id ?? job.id) !== job.id) return;
          if (event.event === 'done') resolve(event);
          else if (event.event === 'failed') reject(new FineTuneFailed(job.id, event.kind, event.message));
          else onEvent?.(event);
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      // An abort's reason is whatever the caller gave; it is handed on untouched.
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors
      stopListening = onAbort(signal, () => reject(signal.reason));
      void trainer.group.exited.then((status) =>
        reject(new TrainerExited(job.id, status, trainer.logFile, lastLines())),
      );
      watch();
      trainer.group.stdin.write(`${JSON.stringify(withPeft(job))}\n`);
    });

    try {
      return await done;
    } catch (error) {
      if (resident === trainer) resident = undefined;
      clearTimeout(stall);
      // Until it has ended `onLine` still listens: the checkpoint it writes on its way out is told to `onEvent`.
      await trainer.group.stop(graceMs);
      throw error;
    } finally {
      clearTimeout(stall);
      stopListening();
      trainer.onLine = () => undefined;
    }
  }

  return {
    fineTune: (job, options) => turns.exclusive(options.signal, () => work(job, options)),
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

function withPeft(job: TrainerJob): TrainerJob {
  return { ...job, settings: { use_peft: true, ...job.settings } };
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
