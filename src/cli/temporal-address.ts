import { join } from 'node:path';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { openStore } from '../store/store.ts';
import { devServerOf } from '../workers/dev-server-database.ts';

/** Where the dev server of this project keeps its data. */
export function devDatabase(): string {
  return join(openStore().root, 'temporal.db');
}

/** What TEMPORAL_* variables or a profile are not right about. */
export class TemporalSettingsUnusable extends Error {
  override name = 'TemporalSettingsUnusable' as const;

  constructor(reason: string) {
    super(
      `Temporal's connection settings cannot be used: ${reason}. ` +
        "They come from TEMPORAL_* variables and the temporal CLI's config file (`temporal config list`).",
    );
  }
}

/**
 * How to connect, as the temporal CLI reads it: TEMPORAL_* variables, then the profile of its config file.
 *
 * @throws TemporalSettingsUnusable
 */
export function connectSettings(): ReturnType<typeof loadClientConnectConfig> {
  try {
    return loadClientConnectConfig();
  } catch (error) {
    throw new TemporalSettingsUnusable(error instanceof Error ? error.message : String(error));
  }
}

/** The address that the user has set; undefined when there is none. */
export function configuredAddress(): string | undefined {
  return connectSettings().connectionOptions.address;
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
  // A file that is not there is no profile; an empty one is an error to the library (1.24).
  process.env['TEMPORAL_CONFIG_FILE'] = join(openStore().root, 'no-profile.toml');
  process.env['TEMPORAL_ADDRESS'] = address;
  process.env['TEMPORAL_NAMESPACE'] = 'default';
}

/** The web UI's page of an experiment, as far as it is known where the UI is: for this project's own dev server. */
export function uiUrlOf(address: string, name: string): string | undefined {
  const own = devServerOf(devDatabase());
  if (own?.uiUrl === undefined || own.address !== address) return undefined;
  return `${own.uiUrl}/namespaces/default/workflows/${encodeURIComponent(name)}`;
}
