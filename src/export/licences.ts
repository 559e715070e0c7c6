/**
 * Where on the hub an export will be, and under which licence: what the base model's licence asks of the people who publish what was made from it. The
 * facts here are those that the licences state; whether a person may publish, the person decides (--licence-checked). docs/data-out.md has them.
 */
import { basename } from 'node:path';
import { isHubId, modelLocation } from '../config/agents.ts';
import { originOf } from '../config/tasks.ts';
import { type BaseLicence, licenceInFolder, licenceOnHub } from '../store/base-model-files.ts';
import { type Hub, HubRefused } from '../store/hub-access.ts';
import { UsageError } from '../errors.ts';
import { LicenceForbids } from './errors.ts';
import {
  type AgentModel,
  baseOf,
  type DistilledModel,
  type FinishedIteration,
} from './finished-iteration.ts';

/** Where on the hub an export will be, and what its cards and files then have. */
export type HubPlace = {
  /** OWNER/NAME */
  readonly repo: string;
  /** The ids that the base models have there, by the names that the config gives them; null for a folder of this machine. */
  readonly baseModels: ReadonlyMap<string, string | null>;
  /** For the front matter of all cards. */
  readonly frontMatter: Readonly<Record<string, unknown>>;
  /** The section of all cards on licences. */
  readonly licence: string;
  /** Licences and notices. */
  readonly files: BaseLicence['files'];
  /** What a person should know before it is sent, in sentences. */
  readonly told: readonly string[];
};

/** Where an export will be: its absolute path, as the code in its card is to run from any folder, or a repository of the hub. */
export type Destination = {
  readonly path: string;
  readonly hub?: HubPlace | undefined;
  /** The folder within the repository. */
  readonly subfolder?: string;
};

/** What is asked for of the hub beside what is exported. */
export type Wishes = {
  readonly repo: string;
  readonly models: readonly (AgentModel | DistilledModel)[];
  readonly isDataset: boolean;
  /** The base model's id on the hub. */
  readonly baseModel?: string | undefined;
  /** The licence of what is published. */
  readonly licence?: string | undefined;
  /** Whether a person has said that it may be published, whatever the base model's licence. */
  readonly checked: boolean;
};

/**
 * Where an export will be on the hub, with the licences of its base models.
 *
 * @throws LicenceForbids, UsageError, HubNotReachable, HubRefused
 */
export async function hubPlace(hub: Hub, done: FinishedIteration, wishes: Wishes): Promise<HubPlace> {
  const { repo, models, isDataset, baseModel } = wishes;
  const names = [...new Set(models.map((model) => baseOf(done, model).model_name_or_path))];
  if (baseModel !== undefined && names.length > 1)
    throw new UsageError(
      `These agents have ${names.length} base models, and --base-model names one: give --agent too.`,
      'push',
    );
  const baseModels = new Map(names.map((name) => [name, baseModel ?? hubIdOf(name)]));
  const bases: BaseLicence[] = [];
  for (const [name, id] of baseModels)
    bases.push(id === null ? await licenceInFolder(modelLocation(name)) : await licenceThere(hub, id));
  const { dataset } = originOf(done.config.task);
  const datasets = dataset === null ? [] : [dataset];
  const licensing = isDataset
    ? licensingOfData(bases, datasets, wishes.licence)
    : licensingOfModels(bases, wishes);
  const onlyHere = [...baseModels].flatMap(([name, id]) => (id === null && !isDataset ? basename(name) : []));
  return {
    repo,
    baseModels,
    frontMatter: { ...licensing.frontMatter, ...(isDataset || datasets.length === 0 ? {} : { datasets }) },
    licence: licensing.section,
    files: licensing.files,
    told: [
      ...licensing.told,
      ...onlyHere.map(
        (name) =>
          `The base model ${name} is a folder of this machine, so nobody else can load an adapter of it. If it is on the hub, say where: --base-model OWNER/NAME.`,
      ),
    ],
  };
}

function hubIdOf(name: string): string | null {
  return modelLocation(name) === name && isHubId(name) ? name : null;
}

/** @throws LicenceForbids when the hub shows no such model */
async function licenceThere(hub: Hub, id: string): Promise<BaseLicence> {
  try {
    return await licenceOnHub(hub, id);
  } catch (error) {
    if (!(error instanceof HubRefused && [401, 403, 404].includes(error.status))) throw error;
    throw new LicenceForbids(
      `The licence of ${id} cannot be read: the hub shows no such model (${error.status}).`,
      'Name the base model as the hub has it: --base-model OWNER/NAME.',
    );
  }
}

/** What a licence asks for. */
type Terms = {
  /** Whether it stays with what was made of the model. */
  readonly keeps: boolean;
  /** Whether it forbids to share what was made of the model. */
  readonly forbids?: true;
  readonly notForMoney?: true;
  /** How the name of a model has to begin, and how a pattern knows it. */
  readonly name?: { readonly begins: string; readonly pattern: RegExp };
  /** A copy of the licence has to go with the model. */
  readonly copy?: true;
  /** What a file NOTICE has to say. */
  readonly notice?: string;
  /** What the card has to show. */
  readonly shows?: string;
};

const llama = (version: string, begins: string, pattern: RegExp, meta = ''): Terms => ({
  keeps: true,
  name: { begins, pattern },
  copy: true,
  notice: `${meta}Llama ${version} is licensed under the ${meta}Llama ${version} Community License, Copyright © Meta Platforms, Inc. All Rights Reserved.`,
  shows: `Built with ${meta}Llama${meta === '' ? '' : ` ${version}`}`,
});

const named: ReadonlyMap<string, Terms> = new Map(
  Object.entries({
    llama2: {
      keeps: true,
      copy: true,
      notice:
        'Llama 2 is licensed under the LLAMA 2 Community License, Copyright (c) Meta Platforms, Inc. All Rights Reserved.',
    },
    llama3: llama('3', 'Llama-3', /^llama[-_.]?3/i, 'Meta '),
    'llama3.1': llama('3.1', 'Llama', /^llama/i),
    'llama3.2': llama('3.2', 'Llama', /^llama/i),
    'llama3.3': llama('3.3', 'Llama', /^llama/i),
    llama4: llama('4', 'Llama', /^llama/i),
    gemma: {
      keeps: true,
      copy: true,
      notice:
        'Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms',
    },
  } satisfies Record<string, Terms>),
);
const free =
  /^(?:apache-2\.0|mit|bsd(?:-[23]-clause)?|isc|0bsd|unlicense|wtfpl|zlib|bsl-1\.0|ncsa|postgresql|afl-3\.0|ecl-2\.0|artistic-2\.0|ms-pl|cc0-1\.0|pddl|odc-by|cdla-permissive-[12]\.0|cc-by-[234]\.[05])$/;
const keeping =
  /^(?:cc-by(?:-nc)?-sa-\d\.\d|cc-by-nc-\d\.\d|a?gpl-3\.0|gpl(?:-2\.0)?|agpl|lgpl(?:-(?:2\.1|3\.0))?|mpl-2\.0|epl-[12]\.0|eupl-1\.[12]|osl-3\.0|odbl|openrail(?:\+\+)?|creativeml-openrail-m|bigscience-openrail-m|bigcode-openrail-m|bigscience-bloom-rail-1\.0)$/;
const forbidding = /^cc-by(?:-nc)?-nd-\d\.\d$/;

/** Null when they are not known. */
function termsOf(id: string | null): Terms | null {
  if (id === null) return null;
  if (free.test(id)) return { keeps: false };
  if (forbidding.test(id)) return { keeps: true, forbids: true };
  if (keeping.test(id)) return { keeps: true, ...(id.includes('-nc-') ? { notForMoney: true } : {}) };
  return named.get(id) ?? null;
}

/** What cards, files and the command say about licences. */
type Licensing = Pick<HubPlace, 'frontMatter' | 'files' | 'told'> & { readonly section: string };

/** @throws LicenceForbids when the licence of a base model does not allow it, or it is not known whether it does, and nobody has checked it */
function licensingOfModels(bases: readonly BaseLicence[], { repo, licence, checked }: Wishes): Licensing {
  const told: string[] = [];
  for (const base of bases) {
    const against = whyNot(base, repo, licence);
    if (against !== null && !checked) throw new LicenceForbids(against.what, against.remedy);
    if (against !== null) told.push(`${against.what} You have said that you may publish it.`);
  }
  const of = bases.find(({ id }) => termsOf(id)?.keeps === true) ?? bases[0];
  const id = licence ?? of?.id ?? null;
  const files = new Map(bases.flatMap((base) => base.files.map((file) => [file.name, file.content])));
  const before = files.get('NOTICE')?.toString() ?? '';
  const notices = new Set(bases.flatMap((base) => termsOf(base.id)?.notice ?? []));
  const notice = [...notices].filter((line) => !before.includes(line));
  if (notice.length > 0) files.set('NOTICE', Buffer.from(`${[...notice, before].join('\n\n').trimEnd()}\n`));
  const { name = null, link = null } = id === of?.id && of !== undefined ? of : {};
  return {
    frontMatter: {
      ...(id === null ? {} : { license: id }),
      ...(name === null ? {} : { license_name: name }),
      ...(link === null ? {} : { license_link: link }),
    },
    section: ['## Licence', '', ...bases.flatMap((base) => inWords(base, id))].join('\n'),
    files: [...files].map(([file, content]) => ({ name: file, content })),
    told: [...told, id === null ? 'The card states no licence.' : `Licence in the card: ${id}.`],
  };
}

/** What speaks against publishing models made of a base model; null when nothing does. */
function whyNot(
  { base, id, name, files }: BaseLicence,
  repo: string,
  stated: string | undefined,
): { readonly what: string; readonly remedy: string } | null {
  const terms = termsOf(id);
  const said = 'If you may publish it all the same, as its owner or by its terms, add --licence-checked.';
  const whole = `what was made of ${base}`;
  if (id === null)
    return {
      what: `${base} states no licence, so it is not known whether ${whole} may be published.`,
      remedy: said,
    };
  const under = `${base} is licensed under ${name ?? id}`;
  if (terms === null)
    return {
      what: `${under}, whose terms Colloquy does not know: read whether ${whole} may be published.`,
      remedy: said,
    };
  if (terms.forbids) return { what: `${under}, which forbids to share ${whole}.`, remedy: said };
  if (terms.keeps && stated !== undefined && stated !== id)
    return {
      what: `${under}, which stays with ${whole}: it cannot be published under ${stated}.`,
      remedy: 'Leave --licence out.',
    };
  const own = repo.split('/').at(-1) ?? '';
  if (terms.name !== undefined && !terms.name.pattern.test(own))
    return {
      what: `${under}, which asks that the name of a model made of it begins with ${terms.name.begins}, and ${own} does not.`,
      remedy: `Name the repository ${repo.slice(0, -own.length)}${terms.name.begins}-${own}.`,
    };
  if (terms.copy && !files.some((file) => /^licen[cs]e|^terms/i.test(file.name)))
    return {
      what: `${under}, which asks that a copy of it goes with ${whole}, and none could be had from ${base}.`,
      remedy: `Accept its terms on the hub, or put the licence beside the model as LICENSE.`,
    };
  return null;
}

function inWords({ base, id, name, link }: BaseLicence, given: string | null): string[] {
  const terms = termsOf(id);
  const called = id === null ? 'under a licence that its card does not state' : `under ${name ?? id}`;
  const so =
    given === null
      ? ''
      : terms?.keeps === true || given === id
        ? ', and so is this'
        : `; this is published under ${given}`;
  return [
    ...(terms?.shows === undefined ? [] : [`**${terms.shows}.**`, '']),
    `The base model \`${base}\` is licensed ${called}${link === null ? '' : ` (${link})`}${so}.` +
      (terms?.notForMoney ? ' That licence allows no commercial use.' : ''),
  ];
}

/** Whether the licences of models hold for their answers too, and what that of the questions asks for, is not for a program to say. */
function licensingOfData(
  bases: readonly BaseLicence[],
  questions: readonly string[],
  stated: string | undefined,
): Licensing {
  const from = questions.length === 0 ? '' : ` The questions are from ${questions.join(', ')}.`;
  const written = bases.map(({ base, name, id }) => `\`${base}\` (licence: ${name ?? id ?? 'not stated'})`);
  const models = `The answers were written by models made of ${written.join(' and ')}.${from}`;
  return {
    frontMatter: stated === undefined ? {} : { license: stated },
    section: `## Licence\n\n${stated === undefined ? 'Not stated: it' : `Published under ${stated}. What else holds`} depends on the licences of the questions and of the models. ${models}`,
    files: [],
    told: [
      stated === undefined
        ? `The card states no licence: it depends on those of the questions and of the models. --licence ID states one. ${models}`
        : `Licence in the card: ${stated}.`,
    ],
  };
}
