import { join } from 'node:path';
import { InvalidArgumentError } from '@commander-js/extra-typings';
import { distilledModel } from '../../algorithm/agents.ts';
import { colloquyVersion } from '../../config/installation.ts';
import { UsageError } from '../../errors.ts';
import { NothingTrained } from '../../export/errors.ts';
import {
  agentModelsAfter,
  type AgentModel,
  type DistilledModel,
  distilledModelOf,
  type FinishedIteration,
  finishedIteration,
  wantedModel,
} from '../../export/finished-iteration.ts';
import { hubPlace } from '../../export/licences.ts';
import { exportMerged, exportModels } from '../../export/models.ts';
import {
  type Changes,
  changesOf,
  hasNamesake,
  isNothing,
  type Push,
  type PushedFile,
  pushExport,
} from '../../export/push.ts';
import { datasetFormats } from '../../export/rows.ts';
import { hubUrl, openHub } from '../../store/hub-access.ts';
import { openStore } from '../../store/store.ts';
import { count, counted, listed } from '../../text/figures.ts';
import { terminalSafe } from '../../text/safe-text.ts';
import { experimentName, iterationNumber, seriesName } from '../arguments.ts';
import { command, jsonOption } from '../command.ts';
import { printJson } from '../terminal.ts';
import {
  agentNumber,
  datasetFormat,
  experimentOf,
  type What,
  whatToExport,
  writeDatasets,
} from './export.ts';

/** `colloquy push NAME --repo OWNER/NAME` */
export const pushCommand = command('push', [
  'colloquy push mine --repo me/sums-agents --dry-run      # what would be sent; nothing is',
  "colloquy push mine --repo me/sums-agents --private      # the agents' models",
  'colloquy push mine --repo me/sums-agent --agent 2 --merge   # one whole model',
  'colloquy push mine --repo me/sums-dialogues --format trl    # the datasets',
])
  .argument('[name]', "the experiment's name", experimentName)
  .requiredOption('--repo <owner/name>', 'the repository; it is made where there is none', repoName)
  .option('--series <name>', 'the last accepted night of this series (this or an experiment)', seriesName)
  .option('--iteration <i>', 'which iteration (default: as for export)', iterationNumber)
  .option('--models', 'the models of the agents (default)')
  .option(
    '--format <format>',
    `the datasets in this form: ${datasetFormats.join(', ')} (default: models)`,
    datasetFormat,
  )
  .option('--merge', "one agent's model merged into the base model")
  .option('--distilled', 'the one model that the group was distilled into')
  .option(
    '--agent <n>',
    'only the models of this agent (may be given again); with --merge: whose model (default: all; with --merge 1)',
    (given: string, before: number[] | undefined) => [...(before ?? []), agentNumber(given)],
  )
  .option(
    '--role <role>',
    'only the models of this role (default: all; with --merge the one of first answers)',
  )
  .option('--private', 'make a private repository (default: a public one)')
  .option(
    '--base-model <owner/name>',
    'where the hub has the base model (default: the name that the config gives it)',
    repoName,
  )
  .option(
    '--licence <id>',
    "the licence of what is sent, as the hub's cards name it (default: for models that of the base model, for datasets none)",
  )
  .option(
    '--licence-checked',
    "you may send it, although the base model's licence is unknown or speaks against it",
  )
  .option('--replace', 'also replace files that somebody else or another experiment has written there')
  .option('--dry-run', 'send nothing, and print what would be sent; asks the hub what it has')
  .addOption(jsonOption)
  .action(async (named, options) => {
    const { series, iteration, format, merge, distilled, agent, role, json, dryRun = false } = options;
    const what = whatToPush(options);
    if (merge && (agent?.length ?? 0) > 1)
      throw new UsageError('--merge sends one whole model: give --agent once.', 'push');
    if ((distilled || format !== undefined) && (agent !== undefined || role !== undefined))
      throw new UsageError(
        `--agent and --role choose agents' models: leave them out with ${distilled ? '--distilled' : '--format'}.`,
        'push',
      );
    const store = openStore();
    const experiment = await experimentOf('push', store, named, series);
    const done = await finishedIteration(store, experiment, iteration);
    const models = await modelsToPush(what, done, options);
    const hub = await openHub(!dryRun, console.error);
    const isDataset = format !== undefined;
    const place = await hubPlace(hub, done, {
      ...options,
      models,
      isDataset,
      checked: options.licenceChecked ?? false,
    });
    const usual = done.files.exported(
      `iteration-${done.iteration}-${what}-for-${options.repo.replace('/', '-')}`,
    );
    const folder = join(store.local, ...usual.name.split('/'));
    const which = { agent: agent?.[0] ?? 1, role: distilled ? distilledModel : role };
    const about: string[] = [];
    if (format !== undefined) about.push(...(await writeDatasets(format, done, folder, place)).lines);
    else if (what === 'merged') await exportMerged(store, done, which, folder, place);
    else {
      const { stillBase } = await exportModels(store, done, folder, models, place);
      about.push(...stillBase.map((name) => `${name}: still the base model, nothing to send`));
    }
    const push: Push = {
      repo: { type: isDataset ? 'dataset' : 'model', name: options.repo },
      folder,
      title: `${experiment}, iteration ${done.iteration}: ${what === 'merged' ? 'a merged model' : isDataset ? `datasets (${what})` : what}`,
      description: `Written by Colloquy ${colloquyVersion()}.`,
      isPrivate: options.private ?? false,
      replace: options.replace ?? false,
    };
    const seen = new Set<string>();
    const sent = (path: string) => {
      if (!seen.has(path) && !json) console.error(`  ${path} has arrived`);
      seen.add(path);
    };
    const { changes, commit } = dryRun
      ? { changes: await changesOf(hub, push), commit: null }
      : await pushExport(hub, push, sent);
    const told = [...about, ...place.told, ...(await aboutNamesake(hub, push, changes))];
    const url = `${hubUrl()}/${isDataset ? 'datasets/' : ''}${options.repo}`;
    const outcome = { url, push, changes, commit, dryRun, told };
    if (json) printJson({ experiment, iteration: done.iteration, format: what, ...factsOf(outcome) });
    else console.log(linesOf(outcome).join('\n'));
  });

type Options = Parameters<typeof whatToExport>[0] & {
  readonly agent?: readonly number[] | undefined;
  readonly role?: string | undefined;
};

/** Models where export, for which datasets come first, writes datasets. @throws UsageError when two are asked for at once */
function whatToPush({ format, models, merge, distilled }: Options): What {
  const asked = { format, models, merge, distilled };
  return (format ?? (merge || distilled || models)) ? whatToExport(asked) : 'models';
}

/** The models that are sent, or that wrote the datasets. @throws NothingTrained, NotDistilled */
async function modelsToPush(
  what: What,
  done: FinishedIteration,
  { agent, role, distilled }: Options,
): Promise<readonly (AgentModel | DistilledModel)[]> {
  if (what === 'merged')
    return [await wantedModel(done, { agent: agent?.[0] ?? 1, role: distilled ? distilledModel : role })];
  if (what === 'distilled') return [await distilledModelOf(done)];
  const all = await agentModelsAfter(done);
  const chosen = all.filter(
    (model) =>
      (agent === undefined || agent.includes(model.agent)) && (role === undefined || model.role === role),
  );
  const lacking = agent?.find((each) => !chosen.some((model) => model.agent === each));
  if (lacking === undefined && chosen.length > 0) return chosen;
  const names = all.map((each) => `agent ${each.agent} ${each.role}`);
  throw new NothingTrained(
    done.experiment,
    `it has no ${role === undefined ? '' : `${role} `}model${lacking === undefined ? '' : ` of agent ${lacking}`}, only ${listed(names)}`,
  );
}

async function aboutNamesake(
  hub: Parameters<typeof hasNamesake>[0],
  push: Push,
  { there }: Changes,
): Promise<string[]> {
  if (there !== null || !(await hasNamesake(hub, push))) return [];
  const { type, name } = push.repo;
  return [
    `The hub also has a ${type === 'model' ? 'dataset' : 'model'} ${name}, which is another repository: this one is a ${type}.`,
  ];
}

type Outcome = {
  readonly url: string;
  readonly push: Push;
  readonly changes: Changes;
  readonly commit: string | null;
  readonly dryRun: boolean;
  readonly told: readonly string[];
};

/** For programs. */
function factsOf({ url, push, changes, commit, dryRun, told }: Outcome): object {
  const { there, added, replaced, removed, same } = changes;
  const isPrivate = there?.isPrivate ?? push.isPrivate;
  const { repo, folder } = push;
  return {
    repo: repo.name,
    type: repo.type,
    url,
    private: isPrivate,
    made: there === null,
    dryRun,
    commit,
    added,
    replaced,
    removed,
    same,
    told,
    folder,
  };
}

/** For people. */
function linesOf({ url, push, changes, commit, dryRun, told }: Outcome): string[] {
  const { there, added, replaced, removed, same } = changes;
  const sent = [...added, ...replaced];
  const bytes = sent.reduce((sum, { size }) => sum + size, 0);
  const line =
    (sign: string) =>
    ({ path, size }: PushedFile) =>
      `${sign} ${path}  ${count(size)} bytes`;
  const visibility = (there?.isPrivate ?? push.isPrivate) ? 'private' : 'public';
  const where = `the ${there === null ? 'new ' : ''}${visibility} ${push.repo.type} ${push.repo.name}`;
  return [
    ...added.map(line('+')),
    ...replaced.map(line('~')),
    ...removed.map((path) => `- ${terminalSafe(path)}`),
    ...(same > 0 ? [`${counted(same, 'file')} there already`] : []),
    ...told,
    isNothing(changes)
      ? `Nothing to send: ${where} has all of it.`
      : `${dryRun ? 'Would send' : 'Sent'} ${counted(sent.length, 'file')} with ${count(bytes)} bytes to ${where}, as the commit "${push.title}"${commit === null ? '' : ` (${commit})`}`,
    url,
  ];
}

/** The parser of a repository's name. */
function repoName(given: string): string {
  if (/^[A-Za-z0-9_][\w.-]{0,95}\/[A-Za-z0-9_][\w.-]{0,95}$/.test(given)) return given;
  throw new InvalidArgumentError('Expected OWNER/NAME, e.g. me/sums-agents.');
}
