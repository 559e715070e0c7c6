import { methods } from '../../algorithm/methods/methods.ts';
import { configDifference } from '../../config/resolve.ts';
import type { ContenderKey } from './contenders.ts';
import { differencesFromPaper, paperSetting } from './paper.ts';
import type { Setting } from './study.ts';

/** The configs and versions that the experiments of a setting ran with. */
export type SettingConfig = {
  readonly setting: string;
  /** The method whose config this is: the reference, or else the first. */
  readonly of: string;
  /** Without what each experiment has of its own. */
  readonly config: object;
  /** How the configs of other methods differ from it, without what their method fixes. */
  readonly byMethod: readonly { readonly method: string; readonly differences: readonly string[] }[];
  /** How it differs from the paper's experiment that it corresponds to; null when there is none. */
  readonly fromPaper: readonly string[] | null;
  /** By package; several where experiments ran with several. */
  readonly versions: Readonly<Record<string, string>>;
};

/** Null for a setting without finished experiments. */
export function settingConfig({ name, experiments }: Setting, reference: ContenderKey): SettingConfig | null {
  const first = experiments.find(({ method }) => method === reference) ?? experiments[0];
  if (first === undefined) return null;
  const { seed: _, shared_answers: __, method: ___, ...config } = first.config;
  const byMethod = [...new Set(experiments.map(({ method }) => method))].map((method) => {
    const own = experiments.find((each) => each.method === method)?.config;
    const differences = configDifference(first.config, own)
      .filter(({ path }) => path !== 'method' && path !== 'seed' && !(path in methods[method].fixes))
      .map(({ path, after }) => `${path}: ${JSON.stringify(after)}`);
    return { method, differences };
  });
  return {
    setting: name,
    of: first.method,
    config,
    byMethod: byMethod.filter(({ differences }) => differences.length > 0),
    fromPaper: paperSetting(first.config) === null ? null : differencesFromPaper(first.config),
    versions: versionsOf(experiments),
  };
}

function versionsOf(experiments: Setting['experiments']): Record<string, string> {
  const found = new Map<string, Set<string>>();
  for (const { result } of experiments)
    for (const [name, version] of Object.entries(result.versions))
      found.set(name, (found.get(name) ?? new Set()).add(version));
  return Object.fromEntries([...found].map(([name, versions]) => [name, [...versions].join(', ')]));
}
