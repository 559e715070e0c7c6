import { DevServerDatabaseInUse } from '../workers/dev-server-database.ts';
import { connect } from './connect.ts';
import type { Display } from './display.ts';
import { configuredAddress, devDatabase, useLocalServer } from './temporal-address.ts';

/** A server to work with: one that runs already, or one of our own that `stop` ends. */
export type LocalServer = { stop(): Promise<void> };

/**
 * Settles on the Temporal server for the quickstart: the configured one when an address is configured, else this project's dev server,
 * started if need be.
 *
 * @throws TemporalNotReachable when a configured server does not answer; DevServerFailed, ToolsMissing
 */
export async function openLocalServer(display: Display): Promise<LocalServer> {
  const configured = configuredAddress();
  if (configured !== undefined) {
    await (await connect()).close();
    display.say(`Using the Temporal server at ${configured}`);
    return { stop: async () => undefined };
  }
  try {
    const { startDevServer } = await import('../workers/dev-server.ts');
    const server = await startDevServer({ dbFilename: devDatabase() });
    useLocalServer(server.address);
    display.say(
      `Started a Temporal dev server at ${server.address}${server.portChanged ? ', as the usual port is taken' : ''}`,
    );
    return server;
  } catch (error) {
    if (!(error instanceof DevServerDatabaseInUse)) throw error;
    useLocalServer(error.address);
    display.say(`Using the Temporal dev server that runs at ${error.address}`);
    return { stop: async () => undefined };
  }
}
