import { configDifference } from '../../config/config-difference.ts';
import type { Column } from './analyse-study.ts';
import { differencesFromPaper, paperSetting } from './paper-setting.ts';

/** What the experiments of a column ran with. */
export type ColumnSettings = {
  readonly column: string;
  /** Of the first of its experiments, but for what each has of its own. */
  readonly config: object;
  /** In what the others differ from it, by method. */
  readonly byMethod: readonly { readonly method: string; readonly settings: readonly string[] }[];
  /** In what it differs from the paper's experiment that it is; null when it is none. */
  readonly fromPaper: readonly string[] | null;
  /** By package; several where experiments ran with several. */
  readonly versions: Readonly<Record<string, string>>;
};

export function settingsOf({ name, experiments }: Column): ColumnSettings | null {
  const [first] = experiments;
  if (first === undefined) return null;
  const { seed: _, shared_answers: __, method: ___, ...config } = first.config;
  const byMethod = [...new Set(experiments.map(({ method }) => method))].map((method) => {
    const own = experiments.find((each) => each.method === method)?.config;
    const settings = configDifference(first.config, own)
      .filter(({ path }) => path !== 'method' && path !== 'seed')
      .map(({ path, after }) => `${path}: ${JSON.stringify(after)}`);
    return { method, settings };
  });
  return {
    column: name,
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
