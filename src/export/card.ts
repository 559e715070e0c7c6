/** The parts that the cards of datasets and of models share: Hugging Face's README.md, with YAML in front. */
import { stringify } from 'yaml';
import { accuracyInterval } from '../algorithm/measures/answers.ts';
import { evaluationName, withError } from '../text/figures.ts';
import { fenced, markdownTable, tableCell } from '../text/markdown.ts';
import type { Evaluation } from '../algorithm/evaluation.ts';

/** A card: front matter, then sections of Markdown. */
export function card(frontMatter: object, sections: readonly string[]): string {
  // Hugging Face reads YAML 1.1, to which a bare `no` is a truth value.
  const yaml = stringify(frontMatter, { compat: 'yaml-1.1' });
  return `---\n${yaml}---\n\n${sections.join('\n\n')}\n`;
}

/** Settings as a block of YAML. */
export function settingsBlock(settings: unknown): string {
  return fenced(stringify(settings).trimEnd(), 'yaml');
}

/** A table of texts. */
export function textTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return markdownTable(
    head,
    rows.map((row) => row.map(tableCell)),
  );
}

/** Accuracies of the base model and after iterations, in per cent with standard errors. */
export function accuracyTable(evaluations: readonly Evaluation[]): string {
  return textTable(
    ['accuracy, %', 'single answer', 'majority', 'debate'],
    evaluations.map(({ iteration, questions, single, majority, debate }) => [
      evaluationName(iteration),
      ...[single, majority, debate].map((each) => withError(each, accuracyInterval(each, questions))),
    ]),
  );
}

/** What made it, with links. */
export const provenance =
  'Made by Colloquy, which implements "Multiagent Finetuning: Self Improvement with Diverse Reasoning Chains" ' +
  '([arXiv:2501.05707](https://arxiv.org/abs/2501.05707), ICLR 2025).';

/** The program knows neither the licence of the questions nor that of the base model. */
export const licenceSection = [
  '## Licence',
  '',
  'Not stated: it depends on the licences of the questions and of the base model. Add a `license` to the front matter before you publish it.',
].join('\n');
