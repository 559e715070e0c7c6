import { stringify } from 'yaml';
import { markdownTable } from '../tables/markdown-table.ts';
import type { Table } from '../tables/table.ts';
import type { StudyAnalysis } from './analyse-study.ts';
import type { Finding } from './findings/finding.ts';
import { studyFindings } from './findings/study-findings.ts';
import { settingsOf } from './settings-of.ts';
import { leadSaid } from './study-page.tsx';
import type { StudyTables } from './tables/study-tables.ts';

/** Where and when a study was run, as whoever writes the page knows it. */
export type StudyAbout = { readonly machine: string; readonly date: string; readonly command: string };

/** A picture of the page: an address relative to it. */
export type Picture = { readonly section: Section; readonly title: string; readonly address: string };
export type Section = 'accuracy' | 'diversity' | 'flips' | 'cost' | 'transfer';

/** A study as a page of the documentation. It says what the numbers say, and is the same whenever it is written from the same store. */
export function studyMarkdown(
  analysis: StudyAnalysis,
  tables: StudyTables,
  pictures: readonly Picture[],
  { machine, date, command }: StudyAbout,
): string {
  const { columns, missing, reference } = analysis;
  const findings = studyFindings(analysis);
  const several = columns.length > 1;
  const shown = (section: Section) =>
    pictures
      .filter((each) => each.section === section)
      .map(({ title, address }) => `![${prose(title)}](${address})\n`);
  const section = (title: string, parts: readonly string[]) =>
    parts.length === 0 ? [] : [`## ${title}\n`, ...parts];
  return [
    `# The study ${prose(analysis.name)}\n`,
    `<!-- Written by \`${command}\` from the study's own files; what is changed by hand is lost. -->\n`,
    `${prose(leadSaid(analysis))}. Finished ${prose(date)}, on ${prose(machine)}.\n`,
    '## What it shows\n',
    ...findings.columns.flatMap(({ column, shows }) => [
      ...(several ? [`### ${prose(column)}\n`] : []),
      ...shows.map(findingText),
    ]),
    ...section(
      'What was measured beside it',
      findings.columns.flatMap(({ column, beside }) =>
        beside.length === 0
          ? []
          : [...(several ? [`### ${prose(column)}\n`] : []), ...beside.map(findingText)],
      ),
    ),
    ...section('What it does not show', [list(findings.limits)]),
    ...section(
      'What is missing',
      missing.length === 0 ? [] : [list(missing.map(({ name, reason }) => `${name}: ${reason}`))],
    ),
    ...section('Accuracy over iterations', [...shown('accuracy'), ...printed(tables.iterations)]),
    ...section('Tables', printed([...tables.accuracy, ...tables.comparisons])),
    ...section('Do gains last?', printed(tables.gains)),
    ...section('Is a debate worth its tokens?', printed(tables.equalTokens)),
    ...section('Diversity', [...shown('diversity'), ...printed(tables.diversity)]),
    ...section('Flips and agreement', [...shown('flips'), ...printed(tables.flips)]),
    ...section('Cost against accuracy', [...shown('cost'), ...printed(tables.cost)]),
    ...section('What was learnt from', printed(tables.datasets)),
    ...section('Transfer', [...shown('transfer'), ...printed(tables.transfer)]),
    ...section(
      'Settings and versions',
      columns.flatMap((column) => settingsText(settingsOf(column, reference))),
    ),
  ].join('\n');
}

function findingText({ sentence, each }: Finding): string {
  return each.length === 0 ? `${prose(sentence)}\n` : `${prose(sentence)}\n\n${list(each)}`;
}

function list(items: readonly string[]): string {
  return `${items.map((item) => `- ${prose(item)}`).join('\n')}\n`;
}

/** A long table is folded away, as in the report. */
function printed(tables: readonly Table[]): string[] {
  return tables.map((table) =>
    table.rows.length <= 14
      ? markdownTable(table)
      : `<details><summary>${prose(table.caption)}: ${table.rows.length} rows</summary>\n\n${markdownTable(table)}\n</details>\n`,
  );
}

function settingsText(settings: ReturnType<typeof settingsOf>): string[] {
  if (settings === null) return [];
  const { column, of, config, byMethod, fromPaper, versions } = settings;
  return [
    `### ${prose(column)}\n`,
    ...(fromPaper === null || fromPaper.length === 0
      ? []
      : [`Other than the paper’s: ${prose(fromPaper.join('; '))}.\n`]),
    ...(byMethod.length === 0
      ? []
      : [
          list(
            byMethod.map(({ method, settings: own }) => `${method} has other settings: ${own.join(', ')}`),
          ),
        ]),
    `The config of ${prose(of)}:\n`,
    fenced(stringify(config)),
    `${prose(
      Object.entries(versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(', '),
    )}.\n`,
  ];
}

/** A block of YAML that nothing within it can end. */
function fenced(yaml: string): string {
  const runs = yaml.match(/`+/g) ?? [];
  const fence = '`'.repeat(Math.max(3, ...runs.map(({ length }) => length + 1)));
  return `${fence}yaml\n${yaml}${fence}\n`;
}

/** Text that stays the text that it is, and readable in the file too: only what means something within a line is escaped. */
function prose(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\\`*_[\]<>|~$&#]/g, String.raw`\$&`);
}
