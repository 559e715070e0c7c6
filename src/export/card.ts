/** What the cards of datasets and of models share: Hugging Face's README.md, with YAML in front. */
import { stringify } from 'yaml';
import { evaluationName, withError } from '../report/format.ts';
import type { Evaluation } from '../algorithm/evaluation.ts';

/** A card: front matter, then sections of Markdown. */
export function card(frontMatter: object, sections: readonly string[]): string {
  // Hugging Face reads YAML 1.1, to which a bare `no` is a truth value.
  const yaml = stringify(frontMatter, { compat: 'yaml-1.1' });
  return `---\n${yaml}---\n\n${sections.join('\n\n')}\n`;
}

/** Settings as YAML, in a fence that no line of theirs can close. */
export function settingsBlock(settings: unknown): string {
  const yaml = stringify(settings).trimEnd();
  const longest = Math.max(2, ...(yaml.match(/`+/g) ?? []).map(({ length }) => length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}yaml\n${yaml}\n${fence}`;
}

/** Rows of cells; the first row is the head. */
export function markdownTable([head = [], ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`).replace(/\s+/g, ' ')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** The accuracies of the base and after some iterations, in per cent with standard errors. */
export function accuracyTable(evaluations: readonly Evaluation[]): string {
  return markdownTable([
    ['accuracy, %', 'single answer', 'majority', 'debate'],
    ...evaluations.map(({ iteration, single, majority, debate }) => [
      evaluationName(iteration),
      ...[single, majority, debate].map(withError),
    ]),
  ]);
}

/** What made it, with links. */
export const provenance =
  'Made by Colloquy, which implements "Multiagent Finetuning: Self Improvement with Diverse Reasoning Chains" ' +
  '([arXiv:2501.05707](https://arxiv.org/abs/2501.05707), ICLR 2025).';

/** Neither the questions' licence nor the base model's is known to the program. */
export const licenceSection = [
  '## Licence',
  '',
  'Not stated: it depends on the licences of the questions and of the base model. Whoever publishes this adds a `license` to the front matter.',
].join('\n');
