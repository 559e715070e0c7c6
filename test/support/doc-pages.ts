/** The pages of the documentation, and the command lines and links in them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../src/config/installation.ts';

/** Relative to the project. */
export const docPages = [
  'README.md',
  'CONTRIBUTING.md',
  'engine/README.md',
  ...readdirSync(join(projectRoot, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
  ...readdirSync(join(projectRoot, 'examples'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => `examples/${path}`),
];

export function readPage(page: string): string {
  return readFileSync(join(projectRoot, page), 'utf8');
}

/** A command line of `colloquy` in a page. */
export type CommandLine = {
  readonly line: number;
  /** As in the page, for messages. */
  readonly text: string;
  /** Without `colloquy` itself. */
  readonly words: readonly string[];
  /** In a block, to be copied into a shell; otherwise within a sentence, where names stand for arguments and some are left out. */
  readonly inBlock: boolean;
};

const fence = /^ *```(\w*)[^\n]*\n([^]*?)^ *```/gm;
/** Where a command begins: at the beginning, after a prompt, variables, `&&`, `|` or `<(`. */
const call = /(?:^\s*(?:\$ )?|[;&|(]\s*)(?:\w+=\S+ +)*(?:npx )?colloquy(?= +[\w"'-])/g;

/** The command lines in blocks of shell code, and in code within sentences. */
export function commandLinesIn(page: string): CommandLine[] {
  const blocks = [...page.matchAll(fence)];
  const inBlocks = blocks
    .filter(([, language]) => language === 'sh' || language === 'bash' || language === 'console')
    .flatMap(({ 2: code = '', index }) => {
      const first = page.slice(0, index).split('\n').length + 1;
      const joined = code.replaceAll('\\\n', '  ');
      return joined.split('\n').flatMap((text, at) => callsIn(text, { line: first + at, inBlock: true }));
    });
  const prose = page.replaceAll(fence, (block) => block.replaceAll(/[^\n]/g, ''));
  const inSentences = [...prose.matchAll(/`([^`\n]+)`/g)].flatMap(({ 1: text = '', index }) =>
    callsIn(text, { line: prose.slice(0, index).split('\n').length, inBlock: false }),
  );
  return [...inBlocks, ...inSentences];
}

function callsIn(text: string, where: Pick<CommandLine, 'line' | 'inBlock'>): CommandLine[] {
  return [...withoutComment(text).matchAll(call)]
    .map((found) => ({ found, rest: withoutComment(text).slice(found.index + found[0].length) }))
    .filter(({ found }) => !isQuoted(text, found.index))
    .map(({ rest }) => ({ ...where, text: text.trim(), words: shellWords(rest) }));
}

function isQuoted(text: string, at: number): boolean {
  return (text.slice(0, at).match(/'/g)?.length ?? 0) % 2 === 1;
}

function withoutComment(text: string): string {
  const [comment] = [...text.matchAll(/(?:^|\s)#/g)].filter(({ index }) => !isQuoted(text, index));
  return comment === undefined ? text : text.slice(0, comment.index);
}

/** The words up to the end of the command, as a shell has them. */
function shellWords(text: string): string[] {
  const words: string[] = [];
  for (const [token, single, double] of text.matchAll(
    /'([^']*)'|"([^"]*)"|[|;&<>()\\]|[^\s'"|;&<>()\\]+|\s+/g,
  )) {
    if (single === undefined && double === undefined && /^[|;&<>()\\]$/.test(token)) break;
    if (/^\s+$/.test(token)) words.push('');
    else words.push(`${words.pop() ?? ''}${single ?? double ?? token}`);
  }
  return words.filter((word) => word !== '');
}

/** The anchors of a page's headings, as GitHub makes them. */
export function anchorsOf(page: string): Set<string> {
  const seen = new Map<string, number>();
  const anchors = new Set<string>();
  for (const [, heading = ''] of page.replaceAll(fence, '').matchAll(/^#{1,6} +(.+)$/gm)) {
    const plain = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll(/<[^>]+>/g, '');
    const slug = plain
      .trim()
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(/\s/g, '-');
    const before = seen.get(slug) ?? 0;
    seen.set(slug, before + 1);
    anchors.add(before === 0 ? slug : `${slug}-${before}`);
  }
  return anchors;
}
