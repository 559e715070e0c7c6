import { basename, isAbsolute, join } from 'node:path';
import type { AnswerRules } from '../algorithm/answer.ts';
import { compares, objectiveNames, type ObjectiveName, objectives } from '../algorithm/objectives.ts';
import { colloquyVersion } from '../config/installation.ts';
import { modelLocation } from '../config/agents.ts';
import { writeAtomically } from '../store/files/atomic.ts';
import { linesOf } from '../store/files/rows.ts';
import { count } from '../text/figures.ts';
import { fenced } from '../text/safe-text.ts';
import { card, licenceSection, provenance, publishExport, settingsBlock, textTable } from './folder.ts';
import type { Destination, HubPlace } from './licences.ts';
import { NothingTrained } from './errors.ts';
import { baseOf, type FinishedIteration } from './finished-iteration.ts';
import { datasetFiles, type DatasetFormat } from './rows.ts';

/**
 * Writes the datasets of an iteration into a folder that `datasets.load_dataset` opens: a file of JSON lines for each agent and
 * role, and a dataset card. A file without rows is left out.
 *
 * @param path of the folder, absolute
 * @param answers what an answer to the experiment's task is
 * @param hub where it is to be pushed
 * @returns the files, with those without rows
 * @throws ExportFolderTaken, OutputNotWritable, DiskFull, NothingTrained when no file has rows, ArtifactMissing, ArtifactDamaged
 */
export async function exportDatasets(
  format: DatasetFormat,
  done: FinishedIteration,
  path: string,
  answers: AnswerRules,
  hub?: HubPlace,
): Promise<Pick<WrittenFile, 'file' | 'rows'>[]> {
  const { experiment, iteration } = done;
  const written: WrittenFile[] = [];
  const facts = { colloquy: colloquyVersion(), experiment, iteration, format };
  await publishExport(path, facts, hub, async (folder) => {
    const files = datasetFiles(format, done, answers);
    for (const { name, objective, rows } of files) {
      const file = `${name}.jsonl`;
      written.push({ file, objective, rows: await writeLines(join(folder, file), rows()) });
    }
    if (written.every(({ rows }) => rows === 0))
      throw new NothingTrained(
        experiment,
        `no dataset of iteration ${iteration} has rows in the form ${format}`,
      );
    const agent = files.find((_, index) => (written[index]?.rows ?? 0) > 0)?.agent ?? 1;
    const readme = datasetCard(format, done, { written, agent }, { path, hub });
    await writeAtomically(join(folder, 'README.md'), [Buffer.from(readme)]);
  });
  return written.map(({ file, rows }) => ({ file, rows }));
}

/** Writes no file for no rows: readers of tables refuse an empty one, which has no fields. Returns how many rows there were. */
async function writeLines(path: string, rows: AsyncIterable<object>): Promise<number> {
  const chunks = linesOf(rows);
  const first = await chunks.next();
  if (first.done === true) return 0;
  let count = first.value.rows;
  const bytes = async function* (): AsyncGenerator<Uint8Array> {
    yield first.value.bytes;
    for await (const chunk of chunks) {
      count += chunk.rows;
      yield chunk.bytes;
    }
  };
  await writeAtomically(path, bytes());
  return count;
}

/** A file that was written: its name with the ending, and how many rows it has. */
type WrittenFile = { readonly file: string; readonly objective: ObjectiveName; readonly rows: number };

/**
 * The README.md of an exported dataset. Its front matter names a subset for each file, and a default one of all files, so that
 * `load_dataset(folder)` and `load_dataset(folder, "agent-1-critic")` work.
 *
 * @param agent the agent to which the first file with rows belongs
 * @param to where the export will be
 */
function datasetCard(
  format: DatasetFormat,
  done: FinishedIteration,
  { written, agent }: { readonly written: readonly WrittenFile[]; readonly agent: number },
  { path, hub }: Destination,
): string {
  const { experiment, iteration, config } = done;
  const base = baseOf(done, { agent }).model_name_or_path;
  const before = done.lineage.at(-2) ?? 0;
  const full = written.filter(({ rows }) => rows > 0);
  const empty = written.filter(({ rows }) => rows === 0).map(({ file }) => file);
  const names = [...new Set(full.map(({ objective }) => objective))];
  const total = full.reduce((sum, { rows }) => sum + rows, 0);
  return card(
    {
      pretty_name: `${experiment}, iteration ${iteration} (${format})`,
      task_categories: ['text-generation'],
      tags: ['colloquy', 'multiagent-finetuning', 'synthetic', ...(format === 'openai' ? [] : ['trl'])],
      size_categories: [sizeCategory(total)],
      configs: [
        // Rows of different objectives have different fields, which no table has together.
        ...(names.length > 1
          ? []
          : [{ config_name: 'all', default: true, data_files: full.map(({ file }) => file) }]),
        ...full.map(({ file }) => ({
          config_name: file.replace(ending, ''),
          data_files: file,
        })),
      ],
      ...hub?.frontMatter,
    },
    [
      `# ${experiment}, iteration ${iteration}`,
      `${provenance} Experiment \`${experiment}\`, seed ${config.seed}, iteration ${iteration}: the debates of the ` +
        `training questions by the agents as iteration ${before} left them${before === 0 ? ' (the base model)' : ''}. ` +
        'Every answer was written by a model.',
      `## Rows\n\n${[formatsInWords[format], ...objectivesInWords(format, full)].join(' ')}`,
      textTable(
        ['file', 'rows'],
        [...full.map(({ file, rows }) => [file, count(rows)]), ['all', count(total)]],
      ),
      ...(empty.length === 0 ? [] : [`Without rows, and so not here: ${empty.join(', ')}.`]),
      fenced(
        loadingInPython[format](
          full[0]?.file.replace(ending, '') ?? '',
          objectives[names[0] ?? 'imitation'].trainer,
          hub?.repo ?? path,
          hub === undefined ? modelLocation(base) : (hub.baseModels.get(base) ?? basename(base)),
        ),
        'python',
      ),
      `## Labels\n\n${labelsInWords(done)}`,
      `## Config\n\n${settingsBlock(config, hub === undefined)}`,
      hub?.licence ?? licenceSection,
    ],
  );
}

const ending = /\.jsonl$/;

/** How the labels were obtained, in a sentence or two. */
function labelsInWords({ config, records }: FinishedIteration): string {
  if (config.label_source === 'gold')
    return 'A label is the gold answer of the training question (as in STaR).';
  const consensus = records.at(-1)?.consensus;
  const most = config.max_votes === undefined ? '' : ` and at most ${config.max_votes}`;
  const votes =
    config.min_votes === 1 && most === '' ? '' : ` with at least ${config.min_votes} votes${most}`;
  const counts =
    consensus === undefined
      ? ''
      : ` Of ${consensus.questions} questions, ${consensus.unanimous} were unanimous, ${consensus.ties} were ties ` +
        `(settled by a seeded draw) and ${consensus.withoutLabel} yielded no label.`;
  const voting = config.label_votes === 'both' ? 'answers of all rounds' : 'last answers';
  return `A label is the majority vote over the agents' ${voting}${votes}; no gold answer was used.${counts}`;
}

const learntFrom =
  'A file is what one model of one agent was fine-tuned on: first answers that equal the label (`generation`), or whole dialogues ' +
  'whose last answer does (`critic`).';

const formatsInWords: Record<DatasetFormat, string> = {
  trl:
    "TRL's prompt-completion form, conversational: `prompt` and `completion` are lists of messages, and the loss is on the completion alone, " +
    `the model's own last turn. ${learntFrom} A row that has a \`weight\` counted that much in the loss, 1 on average; TRL's own trainer ignores it.`,
  openai:
    "OpenAI's chat form: `messages`, of which those of weight 0 add nothing to the loss, so that it is on the last one alone. " +
    `${learntFrom} TRL does not read weights: for TRL, export the form \`trl\`.`,
  dpo:
    "TRL's preference form, conversational: `prompt` is the question as it was asked; `rejected` is an agent's first answer, wrong by the label; " +
    "`chosen` is the same agent's last answer to it, which equals the label. All such dialogues are here, one file for each agent. " +
    'A chosen answer was written after seeing what the other agents said, and may speak of it.',
};

/** What rows are of models that learnt by another objective than imitation; none where all imitated. */
function objectivesInWords(format: DatasetFormat, written: readonly WrittenFile[]): string[] {
  if (format === 'dpo') return [];
  return objectiveNames.filter(compares).flatMap((name) => {
    const files = written.filter(({ objective }) => objective === name).map(({ file }) => file);
    return files.length === 0
      ? []
      : [
          `${files.join(', ')}: what the model learnt from by ${objectives[name].title}. ${rowsInWords[objectives[name].rows][format]}`,
        ];
  });
}

const rowsInWords = {
  answers: { trl: '', openai: '' },
  pairs: {
    trl: '`chosen` is an answer to `prompt` that equals the label, and `rejected` one that does not.',
    openai:
      "In the form of OpenAI's method `dpo`: `preferred_output` equals the label, and `non_preferred_output` does not.",
  },
  'labelled answers': {
    trl: '`label` is true for an answer that equals the label of the question.',
    openai: 'OpenAI has no form for answers that are not wanted: only the wanted ones are here.',
  },
} as const;

type Loading = (name: string, trainer: string, folder: string, base: string) => string;

const inTrl =
  (all: string): Loading =>
  (name, trainer, folder, base) =>
    [
      'from datasets import load_dataset',
      `from trl import ${trainer}`,
      '',
      `rows = load_dataset(${JSON.stringify(folder)}, "${name}", split="train")  # without a name: ${all}`,
      `trainer = ${trainer}(${JSON.stringify(base)}, train_dataset=rows)`,
      'trainer.train()',
    ].join('\n');

const loadingInPython: Record<DatasetFormat, Loading> = {
  trl: inTrl('all files'),
  openai: (name, _, folder) =>
    [
      'from openai import OpenAI',
      '',
      'client = OpenAI()  # reads OPENAI_API_KEY',
      // A repository of the hub is downloaded first.
      ...(isAbsolute(folder)
        ? []
        : [`# hf download ${folder} ${name}.jsonl --repo-type dataset --local-dir .`]),
      `rows = client.files.create(file=open(${JSON.stringify(isAbsolute(folder) ? join(folder, `${name}.jsonl`) : `${name}.jsonl`)}, "rb"), purpose="fine-tune")`,
      'client.fine_tuning.jobs.create(model="gpt-4.1-nano-2025-04-14", training_file=rows.id)',
    ].join('\n'),
  dpo: inTrl('all agents'),
};

/** Hugging Face's own classes of size. */
function sizeCategory(rows: number): string {
  if (rows < 1_000) return 'n<1K';
  if (rows < 10_000) return '1K<n<10K';
  return rows < 100_000 ? '10K<n<100K' : '100K<n<1M';
}
