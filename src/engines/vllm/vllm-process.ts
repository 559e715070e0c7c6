/** A vLLM server that this worker runs: sized for the experiments that use it, watched, and started again when it dies. */
import { randomBytes } from 'node:crypto';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { emit } from '../../observe/events.ts';
import { pause } from '../waiting.ts';
import { createChatClient } from '../endpoint/chat-client.ts';
import { longestStartMs, type Serving, watchHealth } from '../process/engine-process.ts';
import { lastCause, logFileFor } from '../process/log-file.ts';
import { freePort, type ProcessGroup, startProcessGroup } from '../process/process-group.ts';
import { howItEnded, type Running, supervise, type Supervisor } from '../process/supervisor.ts';
import { modelFacts, type ServingDevice, servingDeviceHere } from './device.ts';
import { freeOn, leastMemory, maySleep, type Serve, serveArgs, serveVariables } from './flags.ts';
import { findVllm } from './installed.ts';
import {
  covers,
  createExpectations,
  DeviceMemoryTooSmall,
  deviceName,
  type Expectations,
  type ServingNeeds,
} from './needs.ts';

export interface VllmProcess extends Supervisor<VllmServing> {
  /** From now on for some time the server has to serve an experiment too. One that was started for less is started again. */
  expect(experiment: string, needs: ServingNeeds): void;
}

export type VllmServing = Serving & {
  readonly needs: ServingNeeds;
  readonly device: ServingDevice;
  /** Whether it has been started so that it may sleep. */
  readonly sleeps: boolean;
  /** Whether the host has room for its weights. */
  roomOnHost(): boolean;
  /** Whether another server of such a model has room on the device now. */
  roomForAnother(): Promise<boolean>;
};

export interface VllmProcessOptions {
  /** A folder (see `resolveModel`) or a hub id. */
  readonly model: string;
  /** The name that requests call the base model by. */
  readonly servedModelName: string;
  readonly logFolder: string;
  /** The endpoint's own settings. */
  readonly command?: string | undefined;
  readonly devices?: readonly number[] | undefined;
  readonly args?: readonly string[] | undefined;
  readonly resident?: number | undefined;
  /** The needs of the experiments that ask this model, or others of the same base model. By default, those of this one alone. */
  readonly expectations?: Expectations | undefined;
  /** Milliseconds; only tests set them. */
  readonly startTimeoutMs?: number;
  readonly healthEveryMs?: number;
  readonly graceMs?: number;
}

/**
 * A vLLM, not started yet. Its `ready` also throws VllmMissing, VllmUnusable, VllmRefusesModel, DeviceMemoryTooSmall and ModelFolderMissing.
 */
export function createVllmProcess(options: VllmProcessOptions): VllmProcess {
  const { model, servedModelName, args = [], resident = 1, graceMs = 20_000 } = options;
  const { expect, wanted } = options.expectations ?? createExpectations();
  /** What the next start is for, while one is under way. */
  let starting: (Serve & { readonly version: string }) | undefined;
  /** As vLLM has found it, where no file here says it. */
  let longestContext: number | null = null;
  let starts = 0;

  /** @throws DeviceMemoryTooSmall, DevicesUnusable, VllmMissing, VllmUnusable */
  async function plan(version: string): Promise<Serve> {
    const device = await servingDeviceHere(version, options.devices);
    const facts = await modelFacts(model, device.kind === 'cpu');
    const serve = {
      model,
      servedModelName,
      weights: facts.weights,
      mark: `colloquy-${randomBytes(8).toString('hex')}`,
      // If another server takes it first, that one does not have this server's second name.
      port: await freePort(),
      needs: wanted(),
      longestContext: facts.longestContext ?? longestContext,
      device,
      resident,
      args,
    };
    const [least, free] = [leastMemory(serve), freeOn(device, resident)];
    if (least !== null && least > free)
      throw new DeviceMemoryTooSmall(model, deviceName(device), least, free);
    return serve;
  }

  const server = supervise<VllmServing>({
    name: servedModelName,
    graceMs,
    async start() {
      const { command, version } = await findVllm(options.command);
      starting = { ...(await plan(version)), version };
      return startProcessGroup(command, serveArgs(starting), {
        logFile: await logFileFor(options.logFolder, 'vllm', model),
        guarded: { graceMs },
        settings: serveVariables(starting),
      });
    },
    async untilReady(group) {
      const serve = starting;
      if (serve === undefined) return undefined;
      const url = `http://127.0.0.1:${serve.port}/v1`;
      const isMine = (): Promise<boolean> => listsModel(url, serve.mark);
      if (!(await untilAnswered(group, isMine, options.startTimeoutMs ?? longestStartMs))) {
        longestContext ??= contextInLog(group);
        refuseForGood(group, serve);
        return undefined;
      }
      emit('engine started', { model: servedModelName, pid: group.pid, starts: (starts += 1) });
      watchHealth(group, isMine, options.healthEveryMs ?? 60_000);
      const { needs, device, weights, version } = serve;
      return {
        url,
        adapters: () => wanted().adapters,
        needs,
        device,
        sleeps: maySleep(serve),
        roomOnHost: () => weights === null || weights < process.availableMemory(),
        async roomForAnother() {
          const now = await servingDeviceHere(version, options.devices);
          return (leastMemory({ weights, device: now }) ?? 0) <= freeOn(now, resident);
        },
      };
    },
    onDeath: ({ status }) => emit('engine died', { model: servedModelName, how: howItEnded(status) }),
  });

  return {
    ...server,
    expect,
    async ready(signal): Promise<Running<VllmServing>> {
      const running = await server.ready(signal);
      if (covers(running.needs, wanted())) return running;
      await server.end(running);
      return server.ready(signal);
    },
  };
}

/** Whether the server at `url` answers, and serves a model of this name. Never rejects. */
async function listsModel(url: string, name: string): Promise<boolean> {
  const client = createChatClient({ url, timeoutMs: 20_000, patienceMs: 0 });
  try {
    const models = await client.listModels(new AbortController().signal);
    return models.some(({ id }) => id === name);
  } catch {
    return false;
  } finally {
    client.close();
  }
}

/** Whether `isReady` came true before the process ended and the time was over. */
async function untilAnswered(
  group: ProcessGroup,
  isReady: () => Promise<boolean>,
  timeoutMs: number,
): Promise<boolean> {
  const over = AbortSignal.timeout(timeoutMs);
  const ended = new AbortController();
  void group.exited.then(() => ended.abort());
  const stop = AbortSignal.any([over, ended.signal]);
  while (!stop.aborted) {
    if (await isReady()) return !ended.signal.aborted;
    await pause(200, stop).catch(() => undefined);
  }
  return false;
}

/** vLLM's words for a model whose context is shorter than `--max-model-len`. */
function contextInLog({ log }: ProcessGroup): number | null {
  const words = /derived max_model_len \([\w.]+=(\d+)/.exec(log.lines().join('\n'))?.[1];
  return words === undefined ? null : Number(words);
}

/** @throws VllmRefusesModel, DeviceMemoryTooSmall when another start would end in the same way */
function refuseForGood({ log }: ProcessGroup, { model, device, ...serve }: Serve): void {
  const cause = lastCause(log.lines());
  if (cause === undefined || /derived max_model_len/.test(cause)) return;
  if (outOfMemory.test(cause))
    throw new DeviceMemoryTooSmall(
      model,
      deviceName(device),
      leastMemory({ ...serve, device }),
      device.free,
      cause,
    );
  if (forGood.test(cause)) throw new VllmRefusesModel(model, cause, log.file);
}

const outOfMemory =
  /out of memory|No available memory|Free memory on device|can'?t allocate memory|not enough memory|KV cache is needed, which is larger/i;

const forGood =
  /unrecognized arguments|invalid choice|expected (?:one|at least one) argument|gated repo|is not a (?:valid model identifier|local folder)|Repository ?Not ?Found|does not (?:exist|appear to have)|not supported|Unsupported|ValidationError|could not be wrapped/i;

/** vLLM ended when it was to load a model, for a reason that stays. */
export class VllmRefusesModel extends ColloquyError {
  override name = 'VllmRefusesModel' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  readonly model: string;
  /** The error in its log. */
  override readonly cause: string;

  constructor(model: string, cause: string, logFile: string) {
    super(`vLLM cannot serve ${model}: ${cause}. Its log is ${logFile}.`);
    this.model = model;
    this.cause = cause;
  }
}
