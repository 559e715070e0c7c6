import { stringify } from 'yaml';
import { fenced, githubText } from '../../text/safe-text.ts';
import { settingConfig, type SettingConfig } from '../analyse/paper.ts';
import type { StudyAnalysis } from '../analyse/study.ts';
import type { Finding } from '../findings/finding.ts';
import { studyFindings } from '../findings/what-it-shows.ts';
import type { StudyTables } from '../tables/study-tables.ts';
import { markdownOf, type Table } from '../tables/table.ts';
import type { ChartedSection } from './study-charts.ts';
import { studyLead } from './study-page.tsx';

/** Where and when a study was run, and the command that writes the page. */
export type StudyAbout = { readonly machine: string; readonly date: string; readonly command: string };

/** A picture of the page; its address is relative to the page. */
export type Picture = {
  readonly section: ChartedSection;
  readonly title: string;
  readonly address: string;
};

/** A study as a page of the documentation: what its report has, and the same text whenever it is written from the same store. */
export function studyMarkdown(
  analysis: StudyAnalysis,
  tables: StudyTables,
  pictures: readonly Picture[],
  { machine, date, command }: StudyAbout,
): string {
  const { settings, missing, reference } = analysis;
  const { findings, limits } = studyFindings(analysis);
  const charts = (section: ChartedSection) =>
    pictures
      .filter((each) => each.section === section)
      .map(({ title, address }) => `![${githubText(title)}](${address})\n`);
  const section = (title: string, parts: readonly string[]) =>
    parts.length === 0 ? [] : [`## ${title}\n`, ...parts];
  const found = (about: string | null, each: readonly Finding[]) =>
    each.length === 0
      ? []
      : [...(about === null ? [] : [`### ${githubText(about)}\n`]), ...each.map(findingText)];
  return [
    `# The study ${githubText(analysis.name)}\n`,
    `<!-- Written by \`${command}\` from the study's own files; changes made by hand are lost. -->\n`,
    `${githubText(studyLead(analysis))}. Finished ${githubText(date)}, on ${githubText(machine)}.\n`,
    '## What it shows\n',
    ...findings.flatMap(({ about, shows }) => found(about, shows)),
    ...section(
      'Other measures',
      findings.flatMap(({ about, beside }) => found(about, beside)),
    ),
    ...section('What it does not show', [list(limits)]),
    ...section(
      'What is missing',
      missing.length === 0 ? [] : [list(missing.map(({ name, reason }) => `${name}: ${reason}`))],
    ),
    ...section('Accuracy over iterations', [...charts('accuracy'), ...printed(tables.iterations)]),
    ...section('Tables', printed([...tables.accuracy, ...tables.comparisons])),
    ...section('Do gains last?', printed(tables.gains)),
    ...section('Is a debate worth its tokens?', printed(tables.equalTokens)),
    ...section('The group as one model', printed(tables.distilled)),
    ...section('Diversity', [...charts('diversity'), ...printed(tables.diversity)]),
    ...section('Flips and agreement', [...charts('flips'), ...printed(tables.flips)]),
    ...section('Cost against accuracy', [...charts('cost'), ...printed(tables.cost)]),
    ...section('What was learnt from', printed(tables.datasets)),
    ...section('Transfer', [...charts('transfer'), ...printed(tables.transfer)]),
    ...section(
      'Settings and versions',
      settings.flatMap((setting) => {
        const config = settingConfig(setting, reference);
        return config === null ? [] : configText(config);
      }),
    ),
  ].join('\n');
}

function findingText({ sentence, each }: Finding): string {
  return each.length === 0 ? `${githubText(sentence)}\n` : `${githubText(sentence)}\n\n${list(each)}`;
}

function list(items: readonly string[]): string {
  return `${items.map((item) => `- ${githubText(item)}`).join('\n')}\n`;
}

/** Long tables are folded, as in the report. */
function printed(tables: readonly Table[]): string[] {
  return tables.map((table) =>
    table.rows.length <= 14
      ? markdownOf(table)
      : `<details><summary>${githubText(table.caption)}: ${table.rows.length} rows</summary>\n\n${markdownOf(table)}\n</details>\n`,
  );
}

function configText({ setting, of, config, byRow, fromPaper, versions }: SettingConfig): string[] {
  const versionTexts = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `### ${githubText(setting)}\n`,
    ...(fromPaper === null || fromPaper.length === 0
      ? []
      : [`Different from the paper: ${githubText(fromPaper.join('; '))}.\n`]),
    ...(byRow.length === 0
      ? []
      : [list(byRow.map(({ row, differences }) => `${row} has other settings: ${differences.join(', ')}`))]),
    `The config of ${githubText(of)}:\n`,
    `${fenced(stringify(config).trimEnd(), 'yaml')}\n`,
    `${githubText(versionTexts.join(', '))}.\n`,
  ];
}
