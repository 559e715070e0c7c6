/** What the last word of a command line may become, for the completion of shells. */
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { changeableSettings } from '../algorithm/steering.ts';
import { budgetSchema } from '../config/limits.ts';
import { experimentConfigSchema } from '../config/experiment.ts';
import { type SchemaNode, schemaNode } from '../config/faults.ts';
import { presets } from '../config/resolve.ts';
import { studyConfigSchema, studyPresets } from '../config/study.ts';
import { foldersBelow } from '../store/blobs.ts';
import { namesInStore, type Store } from '../store/store.ts';
import { configFilesHere } from './arguments.ts';

/** What a word of a command line may become. */
export type Candidate = { readonly word: string; readonly means?: string };

/** The names that a command line may have. */
export type Names = {
  readonly experiments: readonly string[];
  readonly series: readonly string[];
  readonly studies: readonly string[];
};

/** The names in a store. */
export async function namesIn(store: Store): Promise<Names> {
  const below = async (prefix: string): Promise<string[]> => [
    ...(await foldersBelow(store.blobs, prefix, /^([^/]*)/)).keys(),
  ];
  return {
    experiments: await namesInStore(store),
    series: await below('series/'),
    studies: await below('studies/'),
  };
}

/**
 * What the last word of a command line may become: commands, options, settings, or the names that its command takes.
 *
 * @param words without the program's own name; the last one is being typed and may be empty
 */
export function candidates(
  program: CommandUnknownOpts,
  words: readonly string[],
  names: Names,
): readonly Candidate[] {
  const typed = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  // bash makes three words of `key=value`. What a value may be, only files can be said of, and those the shell finds itself.
  if (typed === '=' || before.at(-1) === '=') return [];
  let current = program;
  let position = 0;
  let valueOf: string | undefined;
  for (const word of before) {
    const option = current.options.find(({ long, short }) => word === long || word === short);
    const below = current.commands.find((each) => each.name() === word);
    if (valueOf !== undefined) valueOf = undefined;
    else if (option !== undefined) valueOf = option.required ? option.long : undefined;
    else if (below !== undefined) [current, position] = [below, 0];
    else position += 1;
  }
  const all =
    valueOf !== undefined
      ? valuesOf(valueOf, names)
      : typed.startsWith('-')
        ? optionsOf(current)
        : current.commands.length > 0
          ? current.commands.map((each) => ({ word: each.name(), means: each.description() }))
          : argumentsOf(current, position, names);
  return all.filter(({ word }) => word.startsWith(typed)).toSorted((a, b) => (a.word < b.word ? -1 : 1));
}

function optionsOf(current: CommandUnknownOpts): Candidate[] {
  const own = current.options.flatMap(({ long, description }) =>
    long === undefined || long === null ? [] : [{ word: long, means: description }],
  );
  return [...own, { word: '--help', means: 'print this help' }];
}

function valuesOf(option: string, names: Names): Candidate[] {
  if (option === '--experiment') return asCandidates(names.experiments);
  return option === '--series' ? asCandidates(names.series) : [];
}

/** @param position of the argument that is typed, from 0 */
function argumentsOf(current: CommandUnknownOpts, position: number, names: Names): readonly Candidate[] {
  const { registeredArguments: declared } = current;
  const argument = declared[position] ?? (declared.at(-1)?.variadic ? declared.at(-1) : undefined);
  const ofSchedule = current.parent?.name() === 'schedule';
  const [study, series] = ['--study', '--series'].map((long) => current.options.some((o) => o.long === long));
  switch (argument?.name()) {
    case 'config':
      return [
        ...(current.name() === 'study' ? [] : presets()).map(presetCandidate),
        ...(current.name() === 'study' || study ? studyPresets() : []).map(presetCandidate),
        ...asCandidates(configFilesHere()),
      ];
    case 'name':
      if (current.name() === 'create') return [];
      if (ofSchedule) return asCandidates(names.series);
      return asCandidates([
        ...names.experiments,
        ...(current.name() === 'status' || study ? names.studies : []),
        ...(current.name() === 'report' && series ? names.series : []),
      ]);
    case 'a':
    case 'b':
      return asCandidates(names.experiments);
    case 'series':
      return asCandidates(names.series);
    case 'overrides':
      return settingsBelow(current.name() === 'study' ? studyConfigSchema : experimentConfigSchema);
    case 'limits':
      return settingsBelow(budgetSchema);
    case 'settings':
      return settingsBelow(experimentConfigSchema).filter(({ word }) =>
        Object.keys(changeableSettings).some((each) => word === `${each}=` || word.startsWith(`${each}.`)),
      );
    case 'shell':
      return asCandidates(['bash', 'zsh', 'fish']);
    case undefined:
    default:
      return [];
  }
}

const asCandidates = (words: readonly string[]): Candidate[] => words.map((word) => ({ word }));

const presetCandidate = ({ name, description }: { readonly name: string; readonly description: string }) => ({
  word: name,
  means: description.replace(/\s+/g, ' '),
});

/** `key=` for each setting of a schema, with those below it: `task.train_size=`. */
function settingsBelow(schema: Parameters<typeof schemaNode>[0]): Candidate[] {
  return [...new Set(pathsBelow(schemaNode(schema), ''))].map((path) => ({ word: `${path}=` }));
}

function pathsBelow({ properties, oneOf, anyOf }: SchemaNode, above: string): string[] {
  const own = Object.entries(properties ?? {}).flatMap(([key, node]) => {
    const path = above === '' ? key : `${above}.${key}`;
    const below = pathsBelow(node, path);
    return below.length > 0 ? below : [path];
  });
  return [...own, ...[...(oneOf ?? []), ...(anyOf ?? [])].flatMap((each) => pathsBelow(each, above))];
}
