import { dirname } from 'node:path';
import pino, { type DestinationStream, type Logger } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { pathExists } from '../config/load.ts';
import { makeFolder, writeError } from '../store/files/atomic.ts';
import { currentStep, onEvent } from './events.ts';

/** Where lines go in addition to the file: readable ones on a terminal, a JSON object a line elsewhere. */
export type Console = Pick<NodeJS.WriteStream, 'write'> & { readonly isTTY?: boolean };

/**
 * A worker's log: a JSON object a line, appended to a file, and the same on `console`.
 *
 * @throws StoreNotWritable, DiskFull
 */
export async function openWorkerLog(path: string, level: LogLevel, console?: Console): Promise<Logger> {
  const file = await open(path);
  // A full disk must park a step, not end the worker because a line of its log is lost.
  file.on('error', () => undefined);
  const streams: { level: LogLevel; stream: DestinationStream }[] = [{ level, stream: file }];
  if (console !== undefined) streams.push({ level, stream: console.isTTY ? readable(console) : console });
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.multistream(streams),
  );
}

async function open(path: string): Promise<ReturnType<typeof pino.destination>> {
  try {
    await makeFolder(dirname(path));
    const file = pino.destination({ dest: path, sync: true, append: true });
    reopenWhenRemoved(file, path);
    return file;
  } catch (error) {
    throw writeError(path, error);
  }
}

/** A store may be removed while its worker runs. The log then begins again, where people look for it. */
function reopenWhenRemoved(file: ReturnType<typeof pino.destination>, path: string): void {
  setInterval(() => {
    if (pathExists(path)) return;
    makeFolder(dirname(path)).then(
      () => file.reopen(),
      // The disk refuses it now; it is tried again.
      () => undefined,
    );
  }, lookMs).unref();
}
const lookMs = 10_000;

/** `09:41:12 INFO: step finished {"experiment":"demo","step":"debate-i1-train-s003","seconds":4.2}` */
function readable(console: Console): DestinationStream {
  const format = prettyFactory({
    colorize: !process.env['NO_COLOR'],
    translateTime: 'SYS:HH:MM:ss',
    singleLine: true,
    // A step's id has them all, for a person; where in Temporal a line comes from, the file says.
    ignore: 'run,from,taskQueue,split,shard,iteration,agent,role',
  });
  return { write: (line) => void console.write(format(line)) };
}

/** Writes to the log the events of engines and trainers: a line for what is rare, none for what happens with every answer. */
export function logReports(log: Logger): void {
  onEvent('engine started', (engine) =>
    log.info(engine, engine.starts > 1 ? 'engine restarted' : 'engine started'),
  );
  onEvent('engine died', (engine) => log.warn(engine, 'engine died'));
  onEvent('adapter loaded', (adapter) => log.info(adapter, 'adapter loaded'));
  onEvent('base model beside adapters', (found) =>
    log.warn(found, 'the server answers the base model with an adapter: they are asked in turn from now on'),
  );
  onEvent('no answer', (outage) => log.warn(outage, 'no answer from the server, which is waited for'));
  onEvent('answers again', (outage) => log.info(outage, 'the server answers again'));
  onEvent('server left out', (left) =>
    log.warn(left, 'the other servers of the endpoint get the requests of this one'),
  );
  onEvent('server back', (back) => log.info(back, 'the server gets requests again'));
  onEvent('fine-tune waits', (waits) => log.info(waits, 'the fine-tune waits at its server'));
  onEvent('file left at a server', (left) => log.warn(left, 'the file of a fine-tune stays at its server'));
  onEvent('micro-batch', (smaller) =>
    log.warn(
      smaller,
      'not enough memory: the fine-tune goes on with fewer rows at once, or with gradient checkpointing',
    ),
  );
  onEvent('checkpoint', (checkpoint) => log.info(checkpoint, 'checkpoint written'));
  onEvent('fine-tune step', (step) => log.debug(step, 'fine-tune step'));
  onEvent('fine-tune ended', ({ beganAt, endedAt, ...fineTune }) =>
    log.info({ ...fineTune, seconds: (endedAt - beganAt) / 1000 }, 'fine-tune ended'),
  );
  onEvent('step of other code', (codes) => log.warn({ ...currentStep(), ...codes }, 'step of other code'));
  onEvent('questions left out', (questions) => log.warn(questions, 'questions left out'));
  onEvent('shard answered', ({ endpoint, answers, asked, beganAt, endedAt }) =>
    log.debug(
      { ...currentStep(), endpoint, answers, asked, seconds: (endedAt - beganAt) / 1000 },
      'shard answered',
    ),
  );
}

export type LogLevel = (typeof logLevels)[number];
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error'] as const;
