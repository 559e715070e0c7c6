import { methods } from '../../algorithm/methods/methods.ts';
import { configDifference } from '../../config/resolve.ts';
import type { Column } from './analyse-study.ts';
import type { RowKey } from './contender.ts';
import { differencesFromPaper, paperSetting } from './paper-setting.ts';

/** What the experiments of a column ran with. */
export type ColumnSettings = {
  readonly column: string;
  /** Whose config it is: the reference's, or the first there is. */
  readonly of: string;
  /** But for what each experiment has of its own. */
  readonly config: object;
  /** In what other methods differ from it, but for what makes them what they are. */
  readonly byMethod: readonly { readonly method: string; readonly settings: readonly string[] }[];
  /** In what it differs from the paper's experiment that it is; null when it is none. */
  readonly fromPaper: readonly string[] | null;
  /** By package; several where experiments ran with several. */
  readonly versions: Readonly<Record<string, string>>;
};

export function settingsOf({ name, experiments }: Column, reference: RowKey): ColumnSettings | null {
  const first = experiments.find(({ method }) => method === reference) ?? experiments[0];
  if (first === undefined) return null;
  const { seed: _, shared_answers: __, method: ___, ...config } = first.config;
  const byMethod = [...new Set(experiments.map(({ method }) => method))].map((method) => {
    const own = experiments.find((each) => each.method === method)?.config;
    const settings = configDifference(first.config, own)
      .filter(({ path }) => path !== 'method' && path !== 'seed' && !(path in methods[method].fixes))
      .map(({ path, after }) => `${path}: ${JSON.stringify(after)}`);
    return { method, settings };
  });
  return {
    column: name,
    of: first.method,
    config,
    byMethod: byMethod.filter(({ settings }) => settings.length > 0),
    fromPaper: paperSetting(first.config) === null ? null : differencesFromPaper(first.config),
    versions: versionsOf(experiments),
  };
}

function versionsOf(experiments: Column['experiments']): Record<string, string> {
  const found = new Map<string, Set<string>>();
  for (const { result } of experiments)
    for (const [name, version] of Object.entries(result.versions))
      found.set(name, (found.get(name) ?? new Set()).add(version));
  return Object.fromEntries([...found].map(([name, versions]) => [name, [...versions].join(', ')]));
}
