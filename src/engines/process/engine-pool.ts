/**
 * The engine processes of one base model: one at first, and on a CPU more of them while there is much to answer, if memory allows it. Two
 * processes with one thread each answer more than one with two. A new conversation goes to the one with the fewest requests, and stays there:
 * each process keeps the prompts that it read last.
 */
import { hash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { createRequestSlots } from '../waiting.ts';
import type { EngineProcess, RunningEngine } from './engine-process.ts';

export interface EnginePool {
  /**
   * Does `work` with one of the processes; the first one is started when none runs. All that is asked of them goes through here or through
   * `useRunning`, so that a hold finds all of it.
   *
   * @param conversation what names the conversation of a request. It goes to the process that had the last request of this name, unless that has much more to do than another
   * @throws what `EngineProcess.ready` and `work` throw
   */
  use<Result>(
    signal: AbortSignal,
    work: (engine: RunningEngine) => Promise<Result>,
    conversation?: string,
  ): Promise<Result>;
  /** The number of processes that run. */
  running(): number;
  /** Does `work` with each process that runs. Starts none, and does nothing while the processes are held. */
  useRunning(signal: AbortSignal, work: (engine: RunningEngine) => Promise<void>): Promise<void>;
  /** Lets no work begin until `release`, and resolves when none is under way. Of two holds at once, the last release counts. */
  hold(): Promise<void>;
  release(): void;
  /**
   * Ends all processes. The next `use` starts one again.
   *
   * @param engine ends nothing when this one has ended already
   */
  end(engine?: RunningEngine): Promise<void>;
  /** Ends all processes for good. */
  close(): Promise<void>;
}

export interface EnginePoolOptions {
  /** How many processes may run; by default one for each core, as far as there is memory for them. */
  readonly most?: (memoryOfOne: number) => number;
  /** How long there has to be much to answer before more processes are started. Milliseconds; 1 s by default. A start takes 4 s of one core. */
  readonly busyMs?: number;
}

/** Another process is worth its cost for each group of this many requests in flight. With fewer, the smaller batches cost more than it gains. */
const manyRequests = 16;

/** Whether a process has so many more requests than another that to wait for them costs more than to read a beginning again. */
const hasMuchMore = (requests: number, least: number): boolean => requests >= 3 + 1.1 * least;

/** Of so many conversations, those used last, it is known which process has them. */
const conversationsKnown = 2_048;

/** @param start another process of the model, not started yet */
export function createEnginePool(
  start: () => EngineProcess,
  { most = affordable, busyMs = 1_000 }: EnginePoolOptions = {},
): EnginePool {
  const first = newMember(start());
  let members: readonly Member[] = [first];
  let growing: NodeJS.Timeout | undefined;
  /** Whether more may be started: not after one that did not start, nor for a pool that is closed. */
  let mayGrow = true;
  /** Aborted when the pool is ended: who waits for a process that ends would have another one started. */
  let growth = new AbortController();

  /** Many requests find out at once that a process has to end: the second must not end the one that is started for the first. */
  const endings = new WeakMap<RunningEngine, Promise<void>>();

  const uses = createRequestSlots(Infinity);
  let holds = 0;

  const inFlight = (): number => members.reduce((sum, { requests }) => sum + requests, 0);

  /** By the hash of their names, which may be whole prompts. In order of use, the latest last. */
  const conversations = new Map<string, Member>();

  /** The one with the fewest requests among those that run; the first one where none does. */
  function idlest(): Member {
    const running = members.filter((member) => member.running !== undefined);
    return running.reduce(
      (least, member) => (member.requests < least.requests ? member : least),
      running[0] ?? first,
    );
  }

  function next(conversation: string | undefined): Member {
    const least = idlest();
    if (conversation === undefined) return least;
    const name = hash('sha256', conversation, 'base64');
    const its = conversations.get(name);
    const isThere = its !== undefined && members.includes(its) && its.running !== undefined;
    const member = isThere && !hasMuchMore(its.requests, least.requests) ? its : least;
    conversations.delete(name);
    conversations.set(name, member);
    const oldest = conversations.size > conversationsKnown ? conversations.keys().next().value : undefined;
    if (oldest !== undefined) conversations.delete(oldest);
    return member;
  }

  async function ready(member: Member, signal: AbortSignal): Promise<RunningEngine> {
    const running = await member.process.ready(signal);
    if (member.running !== running) {
      member.running = running;
      void running.ended.then(() => {
        if (member.running === running) member.running = undefined;
        if (member !== first) leave(member);
      });
    }
    return running;
  }

  function leave(member: Member): void {
    members = members.filter((each) => each !== member);
    void member.process.close();
  }

  /** Starts a process for each `manyRequests` that are in flight, as far as they may run, and the first one when it has died. */
  async function grow(): Promise<void> {
    const { signal } = growth;
    // How much memory another process takes is known once one has started, for which requests wait already.
    if (members.every(({ running }) => running === undefined))
      await ready(first, signal).catch(() => undefined);
    const memory = members.find(({ running }) => running !== undefined)?.running?.memory;
    if (!mayGrow || memory === undefined || memory === null) return;
    const wanted = Math.min(most(memory), Math.ceil(inFlight() / manyRequests));
    const started = Array.from({ length: Math.max(0, wanted - members.length) }, () => newMember(start()));
    members = [...members, ...started];
    const starting = first.running === undefined ? [first, ...started] : started;
    await Promise.all(starting.map((member) => ready(member, signal).catch(() => doWithout(member))));
  }

  function doWithout(member: Member): void {
    // One that `end` has closed while it started would have started.
    if (member === first || !members.includes(member)) return;
    mayGrow = false;
    leave(member);
  }

  function watchLoad(): void {
    if (inFlight() <= manyRequests) {
      clearTimeout(growing);
      growing = undefined;
      return;
    }
    growing ??= setTimeout(() => {
      void grow().finally(() => {
        growing = undefined;
        watchLoad();
      });
    }, busyMs).unref();
  }

  return {
    use: (signal, work, conversation) =>
      uses.use(async () => {
        const member = next(conversation);
        member.requests += 1;
        watchLoad();
        try {
          return await work(await ready(member, signal));
        } finally {
          member.requests -= 1;
          watchLoad();
        }
      }, signal),
    running: () => members.filter(({ running }) => running !== undefined).length,
    async useRunning(signal, work) {
      if (holds > 0) return;
      const running = members.flatMap((member) => member.running ?? []);
      await uses.use(async () => void (await Promise.all(running.map(work))), signal);
    },
    hold() {
      holds += 1;
      return uses.close();
    },
    release() {
      holds -= 1;
      if (holds === 0) uses.open();
    },
    async end(engine) {
      const known = engine && endings.get(engine);
      if (known !== undefined) return known;
      if (engine !== undefined && !members.some(({ running }) => running === engine)) return;
      const others = members.filter((member) => member !== first);
      members = [first];
      mayGrow = true;
      growth.abort();
      growth = new AbortController();
      const processes = [first.process.end(), ...others.map(({ process }) => process.close())];
      const ending = Promise.all(processes).then(() => undefined);
      if (engine !== undefined) endings.set(engine, ending);
      await ending;
    },
    async close() {
      mayGrow = false;
      clearTimeout(growing);
      await Promise.all(members.map(({ process }) => process.close()));
    },
  };
}

/** As many as there are cores, in half of the memory that is free. */
function affordable(memoryOfOne: number): number {
  return Math.min(availableParallelism(), 1 + Math.floor(process.availableMemory() / 2 / memoryOfOne));
}

function newMember(process: EngineProcess): Member {
  return { process, requests: 0, running: undefined };
}

type Member = {
  readonly process: EngineProcess;
  /** The number of its requests in flight. */
  requests: number;
  /** Undefined before it is ready, and when it has ended. */
  running: RunningEngine | undefined;
};
