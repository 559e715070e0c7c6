/**
 * The supervision of one program: it is started when it is first needed, one process at a time, and started again after it has died. The
 * embedded engine, the trainer and vLLM are all supervised by this.
 */
import { ColloquyError, exitCodes } from '../../errors.ts';
import { abortable, pause } from '../waiting.ts';
import { EngineClosed } from '../errors.ts';
import { lastCause } from './log-file.ts';
import type { ExitStatus, ProcessGroup } from './process-group.ts';

export interface Supervisor<Ready> {
  /**
   * The running program; starts it when there is none.
   *
   * @throws EngineDied when it died 3 times without being of use between; what `start` and `untilReady` throw; EngineClosed; the signal's
   *   reason
   */
  ready(signal: AbortSignal): Promise<Running<Ready>>;
  /** The process that runs, or starts now; undefined when there is none. It starts none. */
  running(): Promise<Running<Ready> | undefined>;
  /**
   * Ends the process, which frees its memory: SIGTERM, grace, SIGKILL. Resolves when nothing of it is left. The next `ready` starts
   * another one.
   *
   * @param running ends nothing when another process has taken its place already
   */
  end(running?: Running<Ready>): Promise<void>;
  /** Ends the process for good. */
  close(): Promise<void>;
}

export type Running<Ready> = Ready & {
  readonly pid: number;
  /** Settles when this process has ended, with an error that says how. Never rejects. */
  readonly ended: Promise<EngineDied>;
  /** To be called after each answer: a program that is of use does not die again and again. */
  answered(): void;
};

export interface SupervisedProgram<Ready> {
  /** What messages call it. */
  readonly name: string;
  /** Between SIGTERM and SIGKILL. Milliseconds. */
  readonly graceMs: number;
  readonly start: () => Promise<ProcessGroup>;
  /** Resolves when the program can be used; undefined when it has ended, or takes too long. Throws why it never will. */
  readonly untilReady: (group: ProcessGroup) => Promise<Ready | undefined>;
  /** Called when the process has ended by itself. */
  readonly onDeath?: (died: EngineDied) => void;
}

const deathsInARow = 3;

/** A supervised program, not started yet. */
export function supervise<Ready extends object>(program: SupervisedProgram<Ready>): Supervisor<Ready> {
  const { name, graceMs } = program;
  const closing = new AbortController();
  let current: (Slot & { readonly started: Promise<Running<Ready>> }) | undefined;
  /** Deaths since it was of use last. */
  let deaths = 0;

  async function start(slot: Slot): Promise<Running<Ready>> {
    if (deaths > 0) await pause(Math.min(500 * 2 ** (deaths - 1), 10_000), closing.signal);
    const group = await program.start();
    slot.group = group;
    if (slot.ending || closing.signal.aborted) {
      await group.stop(graceMs);
      throw new EngineClosed(name);
    }
    const ended = group.exited.then((status) => {
      if (!slot.ending) deaths += 1;
      const died = new EngineDied({ name, status, log: group.log, deaths });
      if (!slot.ending) program.onDeath?.(died);
      return died;
    });
    try {
      const ready = await program.untilReady(group);
      if (ready !== undefined) return { ...ready, pid: group.pid, ended, answered: () => (deaths = 0) };
    } catch (error) {
      slot.ending = true;
      await group.stop(graceMs);
      throw error;
    }
    await group.stop(graceMs);
    throw await ended;
  }

  function startNew(): Promise<Running<Ready>> {
    const slot: Slot = { ending: false };
    const running = start(slot);
    const mine = Object.assign(slot, { started: running });
    current = mine;
    const forget = (): void => {
      if (current === mine) current = undefined;
    };
    running.then(({ ended }) => void ended.then(forget), forget);
    return running;
  }

  async function end(): Promise<void> {
    if (current === undefined) return;
    const { started, group } = current;
    current.ending = true;
    current = undefined;
    await group?.stop(graceMs);
    await started.then(
      ({ ended }) => ended,
      () => undefined,
    );
  }

  return {
    async ready(signal) {
      for (;;) {
        if (closing.signal.aborted) throw new EngineClosed(name);
        try {
          return await abortable(current?.started ?? startNew(), signal);
        } catch (error) {
          if (!(error instanceof EngineDied) || signal.aborted) throw error;
          // Of the error, as all who waited for this start have it: the first of them sets the count back.
          if (error.deaths < deathsInARow) continue;
          // Later the cause may have been removed: then there are three more tries.
          deaths = 0;
          throw error;
        }
      }
    },
    running: async () => current?.started.catch(() => undefined),
    async end(running) {
      if (running !== undefined && (await current?.started.catch(() => undefined)) !== running) return;
      await end();
    },
    async close() {
      closing.abort(new EngineClosed(name));
      await end();
    },
  };
}

/** One start of the program. */
type Slot = {
  group?: ProcessGroup;
  /** Whether it was asked to end: its end is then not a failure. */
  ending: boolean;
};

/** A supervised program ended when it should not have; thrown once it has done so again and again. */
export class EngineDied extends ColloquyError {
  override name = 'EngineDied' as const;
  readonly retryable: boolean;
  readonly exitCode = exitCodes.failed;
  readonly model: string;
  readonly status: ExitStatus;
  readonly logFile: string;
  /** How often it has died since it was of use last, this time included. */
  readonly deaths: number;
  readonly #death: Death;

  /** @param atOneRequest how often it died while one and the same request was under way, where that is why it is given up */
  constructor(death: Death, atOneRequest?: number) {
    const { name, status, log, deaths } = death;
    const cause = lastCause(log.lines());
    const times =
      atOneRequest !== undefined
        ? ` It has died ${atOneRequest} times while the same requests were under way, so they are not sent again before somebody asks for it.`
        : deaths > 1
          ? ` It has died ${deaths} times in a row without an answer.`
          : '';
    super(
      `The engine for ${name} ${howItEnded(status)}.${times}${cause === undefined ? '' : ` The cause in its log: ${cause}`}\n` +
        `Its log (${log.file}) ends:\n${log.ending()}`,
    );
    this.model = name;
    this.status = status;
    this.logFile = log.file;
    this.deaths = deaths;
    this.#death = death;
    // A request that kills a server is not sent again and again.
    this.retryable = atOneRequest === undefined;
  }

  /** The error for a request that was sent to several processes, all of which died. */
  duringOneRequest(times: number): EngineDied {
    return new EngineDied(this.#death, times);
  }
}

type Death = {
  /** What the program is called: its model's name. */
  readonly name: string;
  readonly status: ExitStatus;
  readonly log: ProcessGroup['log'];
  /** How often it has died since it was of use last, this time included. */
  readonly deaths: number;
};

export function howItEnded({ code, signal }: ExitStatus): string {
  return signal === null ? `exited with ${code}` : `was ended by ${signal}`;
}
