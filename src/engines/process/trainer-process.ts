/** A supervised training process (engine/train.py): it stays, and fine-tunes one model after another. */
import { join } from 'node:path';
import { z } from 'zod';
import {
  type StopJob,
  type TrainerDone,
  type TrainerEvent,
  trainerEventSchema,
  type TrainerJob,
  type TrainerProgress,
} from '../../config/contract.ts';
import { type TrainingCheck, trainingCheckedSchema } from '../../config/server-contract.ts';
import { projectRoot, tools } from '../../config/installation.ts';
import type { TrainerDevice } from '../../config/trainers.ts';
import { abortable, onAbort } from '../waiting.ts';
import { TrainingImpossible } from '../errors.ts';
import type { GpuGate } from '../gpu-gate.ts';
import { FineTuneFailed, TrainerExited, TrainerSpokeGarbage, TrainerStalled } from '../trainer/errors.ts';
import { logFileFor, parsedLine, readLines } from './log-file.ts';
import { supervise } from './supervisor.ts';
import { type ProcessGroup, startProcessGroup } from './process-group.ts';

export interface TrainerProcess {
  /**
   * Fine-tunes one model, behind the gate. A process has one job at a time; others wait for it in order of arrival. When it throws, nothing writes to the job's folders any
   * more: after an abort the process has stopped the job, after anything else its whole group has ended.
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
  /** The devices and how they are used. By default one device, in the way that is fastest on it. */
  readonly device?: TrainerDevice;
  /** The longest silence in the middle of a job. Milliseconds; by default 10 minutes. */
  readonly stallMs?: number;
  /** The time for a checkpoint: after a job was asked to stop, and between SIGTERM and SIGKILL. Milliseconds; by default 20 s. */
  readonly graceMs?: number;
}

/** A training process that the first job starts. */
export function createTrainerProcess(options: TrainerProcessOptions): TrainerProcess {
  const { gate, stallMs = 600_000, graceMs = 20_000 } = options;
  /** Settles when all jobs so far have ended. */
  let before: Promise<unknown> = Promise.resolve();
  const trainers = supervise<Resident>({
    name: 'The trainer',
    graceMs,
    async start() {
      const logFile = await logFileFor(options.logFolder, 'trainer');
      const [program, ...first] = trainerCommand(options, graceMs);
      const args = [...first, '--exit-with-parent', ...deviceArgs(options.device), ...(options.args ?? [])];
      return startProcessGroup(program, args, { logFile, cwd: projectRoot });
    },
    // A job may be sent before it has loaded its libraries.
    async untilReady(group) {
      const resident: Resident = { group, lines: { on: () => undefined } };
      readLines(group.stdout, (line) => resident.lines.on(line));
      return resident;
    },
  });

  async function work(job: TrainerJob, { onEvent, signal }: FineTuneOptions): Promise<TrainerDone> {
    signal.throwIfAborted();
    const trainer = await trainers.ready(signal);
    const { log, exited, stdin } = trainer.group;
    let stall: NodeJS.Timeout | undefined;
    let stopped = false;
    let stopListening = (): void => undefined;
    const goesOn = orderOfEvents();

    const done = new Promise<TrainerDone>((resolve, reject) => {
      // Once the caller has aborted, that is why the job ends. The reason is the caller's own; it is passed on as it is.
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors
      const fail = (error: unknown): void => reject(signal.aborted ? signal.reason : error);
      const watch = (): void => {
        if (signal.aborted) return;
        clearTimeout(stall);
        stall = setTimeout(() => fail(new TrainerStalled(job.id, stallMs, log.file, log.ending())), stallMs);
      };
      trainer.lines.on = (line) => {
        try {
          const event = parseEvent(line, log.file);
          // A late event of an earlier job changes nothing about this one, and is no sign that this one goes on.
          if (event.event === 'ready' || (event.id ?? job.id) !== job.id) return;
          if (goesOn(event, (fault) => new TrainerSpokeGarbage(line, fault, log.file))) watch();
          if (event.event === 'done') resolve(event);
          else if (event.event === 'failed') fail(new FineTuneFailed(job.id, event.kind, event.message));
          else onEvent?.(event);
          if (event.event === 'stopped' && signal.aborted) {
            stopped = true;
            fail(signal.reason);
          }
        } catch (error) {
          fail(error);
        }
      };
      void exited.then((status) => fail(new TrainerExited(job.id, status, log.file, log.ending())));
      watch();
      stdin.write(`${JSON.stringify(job)}\n`);
      // The process stays, with the libraries that it has loaded. Only one that does not answer in time is ended.
      stopListening = onAbort(signal, () => {
        clearTimeout(stall);
        stall = setTimeout(() => fail(signal.reason), graceMs);
        stdin.write(`${JSON.stringify({ stop: job.id } satisfies StopJob)}\n`);
      });
    });

    try {
      const event = await done;
      trainer.answered();
      return event;
    } catch (error) {
      clearTimeout(stall);
      // Lines are listened to until the process has ended: `onEvent` is also called for the checkpoint that is written before the end.
      if (!stopped) await trainers.end(trainer);
      throw error;
    } finally {
      clearTimeout(stall);
      stopListening();
      trainer.lines.on = () => undefined;
    }
  }

  return {
    fineTune(job, options) {
      const needs = job.settings.method === 'full' ? 'all memory' : undefined;
      const done = abortable(before, options.signal).then(async () =>
        gate.exclusive(options.signal, () => work(job, options), needs),
      );
      before = Promise.allSettled([before, done]);
      return done;
    },
    close: () => trainers.end(),
  };
}

/** The program and its first arguments. torchrun starts several processes and ends all of them when one has died. */
export function trainerCommand(
  { command, device }: Pick<TrainerProcessOptions, 'command' | 'device'>,
  graceMs: number,
): readonly [string, ...string[]] {
  if (command !== undefined) return command;
  const { python } = tools();
  const processes = device?.processes ?? 1;
  if (processes === 1) return [python, trainProgram];
  const torchrun = ['-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', String(processes)];
  return [python, ...torchrun, '--shutdown_timeout', String(Math.ceil(graceMs / 1000)), trainProgram];
}

const trainProgram = join(projectRoot, 'engine', 'train.py');

function deviceArgs({ padding_free, attn_implementation }: TrainerDevice = {}): string[] {
  return [
    ...(padding_free === undefined ? [] : ['--padding-free', String(padding_free)]),
    ...(attn_implementation === undefined ? [] : ['--attn-implementation', attn_implementation]),
  ];
}

type Resident = {
  readonly group: ProcessGroup;
  /** What is called with each line of its stdout. */
  readonly lines: { on: (line: string) => void };
};

/**
 * Checks the place of an event among those of its job: a job starts once, and its steps only grow, up to their total. Returns whether the job
 * has gone on: one that reports the same for ever has not.
 */
function orderOfEvents(): (event: TrainerEvent, garbage: (fault: string) => Error) => boolean {
  let total: number | undefined;
  let last = 0;
  let checkpoint = -1;
  return (event, garbage) => {
    if (event.event === 'started') {
      if (total !== undefined) throw garbage('the job had started before');
      total = event.total_steps;
      last = event.resumed_from_step;
    } else if (event.event === 'step') {
      if (total === undefined) throw garbage('a step of a job that has not started');
      if (event.step <= last) throw garbage(`step ${event.step} after step ${last}`);
      if (event.step > total) throw garbage(`step ${event.step} of ${total}`);
      last = event.step;
    } else if (event.event === 'checkpoint') {
      const goesOn = event.step > checkpoint;
      checkpoint = Math.max(checkpoint, event.step);
      return goesOn;
    }
    return event.event !== 'stopped';
  };
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

const failedSchema = trainerEventSchema.refine(({ event }) => event === 'failed');
/** What engine/train.py --check writes. */
export const checkAnswerSchema = z.union([trainingCheckedSchema, failedSchema]);
export type CheckAnswer = z.infer<typeof checkAnswerSchema>;

/**
 * A short run of engine/train.py that checks whether a model can be fine-tuned: it reads its config and tokenizer, and no weights.
 *
 * @param baseModel a folder or a hub id: see `resolveModel`
 * @throws TrainingImpossible; FineTuneFailed, TrainerExited and TrainerStalled when it cannot be found out; the signal's reason
 */
export async function runTrainingCheck(
  baseModel: string,
  check: TrainingCheck,
  options: Pick<TrainerProcessOptions, 'logFolder' | 'command' | 'device' | 'stallMs'>,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const logFile = await logFileFor(options.logFolder, 'trainer');
  const { device } = options;
  const [program, ...first] = options.command ?? [tools().python, trainProgram];
  const processes = device?.processes === undefined ? [] : ['--processes', String(device.processes)];
  const args = [...first, '--check', baseModel, ...deviceArgs(device), ...processes];
  const group = await startProcessGroup(program, args, { logFile, cwd: projectRoot });
  const stopListening = onAbort(signal, () => void group.stop(0));
  const { stallMs = 600_000 } = options;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    void group.stop(0);
  }, stallMs);
  let answer: CheckAnswer | undefined;
  readLines(group.stdout, (line) => {
    answer ??= parsedLine(line, checkAnswerSchema);
  });
  group.stdin.write(`${JSON.stringify(check)}\n`);
  const status = await group.exited;
  clearTimeout(timer);
  stopListening();
  signal.throwIfAborted();
  if (late) throw new TrainerStalled('the check', stallMs, logFile, group.log.ending());
  if (answer === undefined) throw new TrainerExited('The check', status, logFile, group.log.ending());
  judgeCheck(answer);
}

/** @throws TrainingImpossible when a model cannot be fine-tuned like this; FineTuneFailed when it could not be found out */
export function judgeCheck(answer: CheckAnswer): void {
  if (!('event' in answer) || answer.event !== 'failed') return;
  const { kind, message } = answer;
  if (kind === 'internal') throw new FineTuneFailed('The check', kind, message);
  throw new TrainingImpossible(message);
}
