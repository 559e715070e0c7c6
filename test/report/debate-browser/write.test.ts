import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DefaultTreeAdapterTypes, parse } from 'parse5';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Library, openLibrary, search } from '../../../src/report/debate-browser/page/library.ts';
import { writeDebateBrowser } from '../../../src/report/debate-browser/write.ts';
import { readRows } from '../../../src/store/files/rows.ts';
import { type DebateRow, outcomeSchema, readDebates } from '../../../src/store/records/rows.ts';
import { experimentAt } from '../../support/places.ts';
import { writeLongExperiment } from '../long-experiment.ts';

const questions = 250;
const trainingQuestions = 40;
const evaluations = [0, 1, 2].map((iteration) => ({ iteration, questions }));
const trained = [1, 2].map((iteration) => ({ iteration, questions: trainingQuestions }));

describe('the browser of a finished experiment’s debates', () => {
  let folder: string;
  let html: string;
  let library: Library;
  let heldOut: Library['entries'];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'colloquy-debates-'));
    await writeLongExperiment(folder, { questions, trainingQuestions, iterations: 2, summarize: true });
    html = await written();
    library = await openLibrary(blocksOf(html));
    heldOut = library.entries.filter(({ set }) => set === 'heldout');
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const written = async (mostBytes?: number): Promise<string> => {
    await writeDebateBrowser(
      experimentAt(folder),
      { name: 'long', evaluations, trained, summarize: true },
      mostBytes,
    );
    return readFile(join(folder, 'debates.html'), 'utf8');
  };

  it('has every held-out debate of every iteration, word for word', async () => {
    expect(library.about).toEqual({ experiment: 'long', iterations: [0, 1, 2], missing: [] });
    for (const iteration of [0, 1, 2]) {
      const rows: DebateRow[] = [];
      for await (const row of readDebates(experimentAt(folder).debates(iteration, 'heldout'))) rows.push(row);
      const entries = heldOut.filter((entry) => entry.iteration === iteration);
      expect(entries.map(({ id }) => id)).toEqual(rows.map(({ question }) => question.id));
      for (const [index, { block, line }] of entries.entries()) {
        const debate = (await library.readBlock(block))[line]!;
        const row = rows[index]!;
        expect(debate.question).toBe(row.question.text);
        expect(debate.rounds.map((turns) => turns.map(({ response }) => response))).toEqual(
          [1, 3].map((at) => row.dialogues.map((dialogue) => dialogue[at]!.content)),
        );
        expect(debate.rounds[0]!.map(({ shown }) => shown)).toEqual(
          row.dialogues.map((dialogue) => ({ text: dialogue[0]!.content, kind: 'prompt' })),
        );
        expect(debate.rounds[1]!.map(({ shown }) => shown?.text)).toEqual(
          row.dialogues.map((dialogue) => dialogue[2]!.content),
        );
        expect(debate.last).toMatchObject(row.consensus);
      }
    }
  });

  it('has every debate on training questions, each answer beside the consensus and none beside a gold answer', async () => {
    const entries = library.entries.filter(({ set }) => set === 'train');
    expect(entries.map(({ iteration }) => iteration)).toEqual([
      ...Array<number>(trainingQuestions).fill(1),
      ...Array<number>(trainingQuestions).fill(2),
    ]);
    for (const { block, line, gold, outcome } of entries) {
      const debate = (await library.readBlock(block))[line]!;
      expect([gold, outcome, debate.gold, debate.first.correct, debate.last.correct]).toEqual(
        Array<null>(5).fill(null),
      );
      const winners = debate.rounds[1]!.filter(
        ({ answer }) => answer !== null && answer === debate.last.answer,
      );
      expect(winners.map(({ verdict }) => verdict)).toEqual(winners.map(() => 'agrees'));
    }
  });

  it('counts as many debates saved and spoilt as the outcomes do', async () => {
    const outcomes = await readRows(experimentAt(folder).outcomes(2), outcomeSchema);
    const ofLast = heldOut.filter(({ iteration }) => iteration === 2);
    const saved = outcomes.filter(({ majority, debate }) => !majority.correct && debate.correct);
    const spoilt = outcomes.filter(({ majority, debate }) => majority.correct && !debate.correct);
    expect(saved.length).toBeGreaterThan(0);
    expect(spoilt.length).toBeGreaterThan(0);
    expect(ofLast.filter(({ outcome }) => outcome === 'saved').map(({ id }) => id)).toEqual(
      saved.map(({ questionId }) => questionId),
    );
    expect(ofLast.filter(({ outcome }) => outcome === 'spoilt').map(({ id }) => id)).toEqual(
      spoilt.map(({ questionId }) => questionId),
    );
  });

  it('finds a text in the debates that say it, block after block', async () => {
    const steps = [];
    for await (const step of search('CANNOT say', heldOut, library.readBlock)) steps.push(step);
    expect(steps.length).toBeGreaterThan(1);
    expect(steps.map(({ done }) => done)).toEqual(steps.map((_, index) => index + 1));
    // The made-up responses say so where they give no answer.
    const found = new Set(steps.flatMap((step) => step.found));
    expect(heldOut.filter((entry) => found.has(entry))).toEqual(
      heldOut.filter(({ unparsable }) => unparsable),
    );
  });

  it('runs one script and shows one style sheet, which its policy names by their hashes, and no other', () => {
    const elements = [...below(parse(html))];
    const policies = elements.filter(({ attrs }) =>
      attrs.some(({ value }) => value === 'Content-Security-Policy'),
    );
    expect(policies).toHaveLength(1);
    const policy = policies[0]!.attrs.find(({ name }) => name === 'content')!.value;
    const textOf = (element: DefaultTreeAdapterTypes.Element) =>
      element.childNodes.map((node) => ('value' in node ? node.value : '')).join('');
    const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
    const running = elements.filter(({ tagName, attrs }) => tagName === 'script' && attrs.length === 0);
    const styles = elements.filter(({ tagName }) => tagName === 'style');
    expect([running.length, styles.length]).toEqual([1, 1]);
    expect(policy).toContain(`script-src ${hash(textOf(running[0]!))};`);
    expect(policy).toContain(`style-src ${hash(textOf(styles[0]!))};`);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("require-trusted-types-for 'script'");
    expect(policy).not.toContain('unsafe');
    expect(textOf(running[0]!)).not.toMatch(/\beval\(|new Function|import\(/);
  });

  it('is the same, byte for byte, when it is written again', async () => {
    expect(await written()).toBe(html);
  });

  it('ends at its bound with the newest and the base first, and says what is cut', async () => {
    // Less than half of its debates: one iteration, and a part of another.
    const blocks = blocksOf(html);
    const packed = [...blocks.entries, ...blocks.debates.map((text) => text())].join('').length;
    const cut = await openLibrary(blocksOf(await written(packed * 0.45)));
    const taken = [0, 1, 2].map((each) => cut.entries.filter(({ iteration }) => iteration === each).length);
    expect(taken[2]).toBe(questions);
    expect(taken[0]).toBeGreaterThan(0);
    expect(taken[0]).toBeLessThan(questions);
    expect(taken[1]).toBe(0);
    expect(cut.about.missing).toEqual([
      expect.stringMatching(`^base: ${taken[0]} of ${questions} debates. The file ends at`),
      expect.stringMatching(`^iteration 1: 0 of ${questions} debates. The file ends at`),
      expect.stringMatching(`^iteration 2, training questions: 0 of ${trainingQuestions} debates. The file`),
      expect.stringMatching(`^iteration 1, training questions: 0 of ${trainingQuestions} debates. The file`),
    ]);
    for (const { block, line } of cut.entries) expect((await cut.readBlock(block))[line]).toBeDefined();
  });

  it('leaves out what is damaged or gone, and says which file', async () => {
    const first = join(folder, 'iteration-1', 'evaluation', 'shard-001.jsonl');
    const bytes = await readFile(first);
    await writeFile(first, bytes.subarray(0, 5_000));
    const outcomes = join(folder, 'iteration-2', 'outcomes.jsonl.ref.json');
    const seal = await readFile(outcomes);
    await rm(outcomes);
    const { entries: all, about } = await openLibrary(blocksOf(await written()));
    const entries = all.filter(({ set }) => set === 'heldout');
    expect(entries.filter(({ iteration }) => iteration === 0)).toHaveLength(questions);
    expect(entries.filter(({ iteration }) => iteration === 1)).toHaveLength(100);
    expect(about.missing).toEqual([
      expect.stringContaining('iteration-2/outcomes.jsonl'),
      expect.stringMatching(/^iteration 1: 100 of 250 debates\. .*shard-001\.jsonl is damaged/),
    ]);
    await writeFile(first, bytes);
    await writeFile(outcomes, seal);
  });
});

function blocksOf(html: string) {
  const packed = (kind: string) =>
    [
      ...html.matchAll(
        new RegExp(`<script type="application/octet-stream" class="${kind}">([^<]*)</script>`, 'g'),
      ),
    ].map(([, text]) => text!);
  return {
    about: packed('about')[0]!,
    entries: packed('entries'),
    debates: packed('debates').map((text) => () => text),
  };
}

function* below(node: DefaultTreeAdapterTypes.ParentNode): Generator<DefaultTreeAdapterTypes.Element> {
  for (const child of node.childNodes) {
    if (!('tagName' in child)) continue;
    yield child;
    yield* below(child);
  }
}
