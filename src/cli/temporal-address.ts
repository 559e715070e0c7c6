import { devNull } from 'node:os';
import { join } from 'node:path';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { openStore } from '../store/open-store.ts';
import { devServerOf } from '../workers/dev-server-database.ts';

/** Where the dev server of this project keeps its data. */
export function devDatabase(): string {
  return join(openStore().root, 'temporal.db');
}

/** Address and profile that the user has set, as the temporal CLI reads them; undefined when there are none. */
export function configuredAddress(): string | undefined {
  return loadClientConnectConfig().connectionOptions.address;
}

/**
 * Settles, for this process and its children, which server is meant: the configured one, else this project's own dev server
 * when it runs (it may have had to take another port than 7233).
 */
export function settleAddress(): void {
  if (configuredAddress() !== undefined) return;
  const own = devServerOf(devDatabase());
  if (own !== undefined) useLocalServer(own.address);
}

/** From here on this process and its children talk to a dev server, whatever keys and certificates a profile has for others. */
export function useLocalServer(address: string): void {
  for (const name of Object.keys(process.env)) {
    if (/^TEMPORAL_(TLS.*|API_KEY|PROFILE|CODEC.*|GRPC_META.*)$/.test(name)) delete process.env[name];
  }
  process.env['TEMPORAL_CONFIG_FILE'] = devNull;
  process.env['TEMPORAL_ADDRESS'] = address;
  process.env['TEMPORAL_NAMESPACE'] = 'default';
}

/** The web UI's page of an experiment, as far as it is known where the UI is: for this project's own dev server. */
export function uiUrlOf(address: string, name: string): string | undefined {
  const own = devServerOf(devDatabase());
  if (own?.uiUrl === undefined || own.address !== address) return undefined;
  return `${own.uiUrl}/namespaces/default/workflows/${encodeURIComponent(name)}`;
}
