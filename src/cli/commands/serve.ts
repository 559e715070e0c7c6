import type { Server } from 'node:http';
import { ColloquyError, exitCodes, UsageError } from '../../errors.ts';
import { debatersOption, openAskedDebaters, withoutDebate } from './ask.ts';
import { portNumber } from '../arguments.ts';
import { command } from '../command.ts';
import { interruptSignal } from '../terminal.ts';

/** `colloquy serve` */
export const serve = debatersOption(
  command('serve', [
    'colloquy serve --experiment quickstart',
    `curl localhost:8080/v1/chat/completions -H 'content-type: application/json' \\`,
    `  -d '{"model": "quickstart", "messages": [{"role": "user", "content": "3+4*5-6"}]}'`,
    'COLLOQUY_SERVE_API_KEY=secret colloquy serve --series nightly --host 0.0.0.0   # the last accepted night',
  ]),
)
  .option('--port <port>', 'listen on this port', portNumber, 8080)
  .option(
    '--host <address>',
    'listen on this address; with the default, other machines cannot reach it',
    '127.0.0.1',
  )
  .action(async ({ port, host, ...which }) => {
    const apiKey = process.env['COLLOQUY_SERVE_API_KEY'] || undefined;
    const loopback = ['127.0.0.1', 'localhost', '::1'].includes(host);
    if (!loopback && apiKey === undefined)
      throw new UsageError(
        `Other machines can reach ${host}: set COLLOQUY_SERVE_API_KEY to a key that they have to send.`,
        'serve',
      );
    const { createFront } = await import('../../serve/server.ts');
    const debaters = await openAskedDebaters(which);
    const { signal, dispose } = interruptSignal();
    const front = createFront({
      debaters,
      apiKey,
      loopback,
      onError: (error) => console.error(error instanceof Error ? error.message : String(error)),
    });
    try {
      console.error(`Loading the models of ${debaters.experiment} ...`);
      await debaters.load(signal);
      const at = await listening(front, host, port);
      console.error(
        `Answering at http://${host.includes(':') ? `[${host}]` : host}:${at}/v1 as the model "${debaters.experiment}". Ctrl-C stops.`,
      );
      if (debaters.answersBy === 'first vote') console.error(withoutDebate);
      await untilAborted(signal);
    } finally {
      front.closeAllConnections();
      front.close();
      await debaters.close();
      dispose();
    }
  });

/** Waits for Ctrl-C: a server serves until then. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Begins to listen; returns the port. @throws CannotListen */
export async function listening(server: Server, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', ({ message }) => reject(new CannotListen(host, port, message)));
    server.listen(port, host, resolve);
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

/** The port or the address cannot be had. */
export class CannotListen extends ColloquyError {
  override name = 'CannotListen' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(host: string, port: number, why: string) {
    super(
      `Nothing can listen at ${host}:${port} (${why}). Name another port with --port; 0 means any free one.`,
    );
  }
}
