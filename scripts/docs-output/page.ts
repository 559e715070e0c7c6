/**
 * A page of the documentation whose commands can be run. A block that begins with ```sh run is a command; a block ```text output that
 * follows it holds what the command printed, as it was when the page was last written. Words after these say more:
 *
 * - `sh run until="TEXT"`: it runs on, like a server in another terminal; the next command begins when it has printed TEXT.
 * - `sh run kill="TEXT"`: it is killed (SIGKILL) when it has printed TEXT.
 * - `sh run exit=2`: it has to end with this exit code; without it with 0.
 * - `text output first=3 last=10`: only these lines are shown, with a line `...` where others were.
 * - `text output from="TEXT" lines=3`: only the first line with TEXT and those after it, or as many of them.
 */
export type Step = {
  readonly commands: string;
  /** The line of the page, for messages. */
  readonly line: number;
  readonly until?: string;
  readonly kill?: string;
  readonly exit: number;
};

/** A part of a page, in order: text that stays, a command, or what the command before it printed. */
export type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'step'; readonly text: string; readonly step: Step }
  | { readonly kind: 'output'; readonly text: string; readonly fence: string; readonly shown: Shown }
  /** The sentence that says when and where the outputs were printed. */
  | { readonly kind: 'machine'; readonly text: string };

type Shown = {
  readonly first?: number;
  readonly last?: number;
  readonly from?: string;
  readonly lines?: number;
};

const block = /^```(sh run|text output)([^\n`]*)\n([^]*?)^```$/gm;
const machine = /(?<=<!-- machine -->\n)[^]*?(?=\n<!-- \/machine -->)/g;

/** @throws Error naming the line of an output without a command, and of a word that is not known */
export function parsePage(page: string): Part[] {
  const parts: Part[] = [];
  let at = 0;
  const marks = [...page.matchAll(block), ...page.matchAll(machine)].toSorted((a, b) => a.index - b.index);
  for (const mark of marks) {
    const line = page.slice(0, mark.index).split('\n').length;
    parts.push({ kind: 'text', text: page.slice(at, mark.index) });
    at = mark.index + mark[0].length;
    const [text, kind, words = '', content = ''] = mark;
    if (kind === undefined) parts.push({ kind: 'machine', text });
    else if (kind === 'sh run') {
      const { exit = '0', ...rest } = wordsOf(words, ['until', 'kill', 'exit'], line);
      parts.push({
        kind: 'step',
        text,
        step: { commands: content.trimEnd(), line, exit: Number(exit), ...rest },
      });
    } else {
      if (!parts.some((part) => part.kind === 'step'))
        throw new Error(`line ${line}: an output without a command before it`);
      const { first, last, from, lines } = wordsOf(words, ['first', 'last', 'from', 'lines'], line);
      const shown = {
        ...(first === undefined ? {} : { first: Number(first) }),
        ...(last === undefined ? {} : { last: Number(last) }),
        ...(from === undefined ? {} : { from }),
        ...(lines === undefined ? {} : { lines: Number(lines) }),
      };
      parts.push({ kind: 'output', text: content, fence: `\`\`\`text output${words}`, shown });
    }
  }
  parts.push({ kind: 'text', text: page.slice(at) });
  return parts;
}

/** `until="Working" exit=1` as an object. */
function wordsOf<Name extends string>(
  words: string,
  names: readonly Name[],
  line: number,
): Partial<Record<Name, string>> {
  const found: Partial<Record<Name, string>> = {};
  const rest = words.replace(
    /(\w+)=(?:"([^"]*)"|(\S+))/g,
    (whole, given: string, quoted?: string, bare?: string) => {
      const name = names.find((each) => each === given);
      if (name === undefined) return whole;
      found[name] = quoted ?? bare ?? '';
      return '';
    },
  );
  if (rest.trim() !== '')
    throw new Error(`line ${line}: "${rest.trim()}" is not known here; known: ${names.join(', ')}`);
  return found;
}

/** The steps of a page, in order. */
export function stepsOf(parts: readonly Part[]): Step[] {
  return parts.flatMap((part) => (part.kind === 'step' ? [part.step] : []));
}

/**
 * The page with new outputs.
 *
 * @param printed what each step printed, in the order of the steps
 * @param sentence when and where
 */
export function writtenPage(parts: readonly Part[], printed: readonly string[], sentence: string): string {
  let step = -1;
  return parts
    .map((part) => {
      if (part.kind === 'step') step += 1;
      if (part.kind === 'machine') return sentence;
      return part.kind === 'output'
        ? `${part.fence}\n${shownLines(printed[step] ?? '', part.shown)}\n\`\`\``
        : part.text;
    })
    .join('');
}

function shownLines(text: string, { first, last, from, lines: most = Infinity }: Shown): string {
  const lines = text.replace(/\s+$/, '').split('\n');
  const marked = from === undefined ? -1 : lines.findIndex((line) => line.includes(from));
  if (marked !== -1) {
    const end = Math.min(lines.length, marked + most);
    return [
      ...(marked > 0 ? ['...'] : []),
      ...lines.slice(marked, end),
      ...(end < lines.length ? ['...'] : []),
    ].join('\n');
  }
  const above = first ?? 0;
  const below = last ?? (first === undefined ? lines.length : 0);
  return lines.length <= above + below
    ? lines.join('\n')
    : [...lines.slice(0, above), '...', ...lines.slice(lines.length - below)].join('\n');
}

/**
 * The differences between two writings of a page that a reader would call differences. What depends on the machine and the hour does not
 * count: times, rates, dates, the lines of progress that begin with the time of day.
 *
 * @param sameMachine whether both come from one kind of processor; otherwise no number counts, as rounding differs between processors
 */
export function differences(before: string, after: string, sameMachine: boolean): string[] {
  const [old, now] = [comparable(before, sameMachine), comparable(after, sameMachine)];
  const isSame = (at: number) => old.at(at) !== undefined && old.at(at) === now.at(at);
  const shorter = Math.min(old.length, now.length);
  let first = 0;
  while (first < shorter && isSame(first)) first += 1;
  let last = 0;
  while (last < shorter - first && isSame(-1 - last)) last += 1;
  return [
    ...old.slice(first, old.length - last).map((line) => `- ${line}`),
    ...now.slice(first, now.length - last).map((line) => `+ ${line}`),
  ];
}

function comparable(page: string, sameMachine: boolean): string[] {
  return page
    .replaceAll(machine, '')
    .split('\n')
    .filter((line) => !/^\d\d:\d\d:\d\d {2}/.test(line))
    .map((line) =>
      line
        .replace(/\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?)?/g, 'DATE')
        .replace(/\b\d\d:\d\d(?::\d\d)?\b/g, 'TIME')
        .replace(/\b[\d.,]+ ?(?:ms|s|min|h)\b/g, 'TIME')
        .replace(/\b[\d.,]+ (?:kB|MB|GB|GiB|MiB)\b/g, 'SIZE')
        .replace(/(127\.0\.0\.1|localhost):\d+/g, '$1:PORT')
        .replace(/\b[0-9a-f]{12,}\b|\b\d{10,}\b|chatcmpl-[\w-]+/g, 'HASH'),
    )
    .map((line) =>
      sameMachine ? line : line.replace(/\d+(?:[.,]\d+)*(?:e-?\d+)?/g, 'N').replace(/ +|-{3,}/g, ' '),
    );
}
