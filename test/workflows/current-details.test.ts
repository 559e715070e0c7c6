import { describe, expect, it } from 'vitest';
import { currentDetails } from '../../src/workflows/waiting-notes.ts';
import { studyDetails } from '../../src/workflows/study-progress.ts';
import { progressTable } from '../../src/workflows/progress-table.ts';
import { hostileTexts } from '../algorithm/hostile-texts.ts';
import { aProgress } from '../support/a-progress.ts';

const since = '2026-11-23T01:00:00.000Z';
const parkedBy = (reason: string, ...steps: string[]) =>
  aProgress({
    state: 'parked',
    waiting: (steps.length > 0 ? steps : ['debate-i2-train-s003']).map((step) => ({
      step,
      words: `the words of ${step}`,
      reason,
      since,
    })),
  });

const placed = (question: string, reason = 'EngineFailed: 500') =>
  `${reason}\nFirst met at question ${question}, agent 2, round 1 (generation).`;

describe('the table of an experiment', () => {
  it('shows shards as questions, with their rate and the time that is left', () => {
    expect(progressTable(aProgress({ done: 4, workedSeconds: 8, retries: 3 }))).toMatchObject({
      state: 'running',
      phase: 'iteration 1 of 3: debating (the agents debate the training questions)',
      done: '128 of 320 questions (4 of 10 shards)',
      rate: '16 questions/s',
      'time left': 'about 12 s in this phase',
      retries: '3',
      'waits for a person': 'no',
      'what to do': 'nothing',
    });
  });

  it('shows slow work in models an hour, and whose the last loss is', () => {
    const lastLoss = { loss: 0.41234, iteration: 2, agent: 3, role: 'critic' } as const;
    const fineTuning = aProgress({ phase: 'fine-tuning', unit: 'models', total: 6, questions: 0, lastLoss });
    expect(progressTable({ ...fineTuning, done: 2, workedSeconds: 1200 })).toMatchObject({
      done: '2 of 6 models',
      rate: '6.0 models/h',
      'time left': 'about 40 min 00 s in this phase',
      'last loss': '0.412 (critic model of agent 3, iteration 2)',
    });
  });

  it('promises no rate before a step is done, and no time while nothing is done', () => {
    expect(progressTable(aProgress({ workedSeconds: 9 }))).toMatchObject({ rate: '–' });
    const paused = aProgress({ state: 'paused', done: 4, workedSeconds: 8, inFlight: 0 });
    expect(progressTable(paused)).toMatchObject({
      'time left': '–',
      'what to do': 'to go on: colloquy resume demo',
    });
  });

  it('says of a pause how many steps are still saving', () => {
    expect(progressTable(aProgress({ state: 'pausing', inFlight: 1 })).state).toBe(
      'pausing: 1 step is saving',
    );
    expect(progressTable(aProgress({ state: 'pausing', inFlight: 8 })).state).toBe(
      'pausing: 8 steps are saving',
    );
  });
});

describe('the current details of an experiment', () => {
  it('end with colours of their own, as the UI has none for its dark theme', () => {
    expect(currentDetails(aProgress())).toMatch(/\n\n<body bgcolor="white" text="black">$/);
    expect(studyDetails({ study: 's', state: 'running', cells: [] })).toMatch(
      /\n\n<body bgcolor="white" text="black">$/,
    );
  });
});

describe('the current details of a parked experiment', () => {
  it('say what happened, where, and both ways to go on', () => {
    const details = currentDetails(parkedBy('EngineRefused: refused with 403', 'debate-i0-heldout-s001'));
    expect(details).toMatch(/the words of debate\\?-i0\\?-heldout\\?-s001 \(debate/);
    expect(details).toContain('```\nEngineRefused: refused with 403\n```');
    expect(details).toContain('\ncolloquy retry demo\n');
    expect(details).toContain('\ntemporal workflow update execute -w demo --name retry\n');
    expect(details).toContain('\ncolloquy abort demo\n');
  });

  it('tell the one cause of many shards once, and a few causes at most', () => {
    const shards = Array.from({ length: 64 }, (_, shard) => `debate-i1-train-s${shard}`);
    const details = currentDetails(parkedBy('the engine is gone', ...shards));
    expect(details.split('the engine is gone')).toHaveLength(2);
    expect(details).toContain('and 63 more');
    const many = shards.map((step) => ({ step, words: step, reason: `${step}${'x'.repeat(5_000)}`, since }));
    expect(currentDetails(aProgress({ state: 'parked', waiting: many })).length).toBeLessThan(6_000);
  });

  it('tell causes once that differ only in the question, the agent or the sizes', () => {
    const reason = (shard: number) =>
      `PromptTooLong: The prompt of arithmetic-9f86d081${shard}884c7d for agent ${shard % 3} (5 messages, ${800 + shard} characters) does not fit`;
    const waiting = Array.from({ length: 16 }, (_, shard) => ({
      step: `debate-i0-heldout-s${shard}`,
      words: `shard ${shard}`,
      reason: reason(shard),
      since,
    }));
    const details = currentDetails(aProgress({ state: 'parked', waiting }));
    expect(details.match(/does not fit/g)).toHaveLength(1);
    expect(details).toContain('16 steps could not be done');
  });

  it('say which settings may be changed first, and how', () => {
    const training = { phase: 'fine-tuning', iteration: 2 } as const;
    const details = currentDetails({ ...parkedBy('FineTuneFailed: NaN'), ...training });
    expect(details).toMatch(/fine\\_tune\.…, trainer/);
    expect(details).toContain('\ncolloquy change demo fine_tune.learning_rate=0.0001\n');
    expect(details).toContain(
      `\ntemporal workflow update execute -w demo --name change --input '{"fine_tune.learning_rate": 0.0001}'\n`,
    );
    expect(currentDetails({ ...parkedBy('DiskFull'), phase: 'preparing' })).not.toContain('fine_tune');
  });

  it.each([
    ['a table row', 'a | b |\n| --- |'],
    ['a link', '[click](https://evil.example)'],
    ['an image', '![x](https://evil.example/x.png)'],
    ['HTML', '<img src=x onerror=alert(1)><script>alert(1)</script>'],
    ['a fence', '```\n[click](https://evil.example)\n```'],
    ['longer fences', `${'`'.repeat(9)}\n<b>\n${'~'.repeat(9)}`],
    ['a bare address', 'see https://evil.example'],
    ...hostileTexts.map((text, index) => [`hostile text ${index}`, text]),
  ])('keep %s of a server inside a block where it means nothing', (_, words) => {
    const outside = outsideOfFences(currentDetails(parkedBy(`EngineFailed: ${words}`)));
    const harmless = outsideOfFences(currentDetails(parkedBy('EngineFailed: no')));
    expect(outside).toBe(harmless);
  });

  it('have no control characters: they are printed on terminals too', () => {
    const details = currentDetails(parkedBy('\u001b]0;title\u0007\u001b[2J\u202egnp'));
    // oxlint-disable-next-line no-control-regex -- it looks for them
    expect(details).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  });

  it('let no name escape from a command line or a cell', () => {
    const details = currentDetails({ ...parkedBy('no'), experiment: "a'; rm -rf / | <b>" });
    expect(details).toContain(String.raw`colloquy retry 'a'\''; rm -rf / | <b>'`);
    expect(outsideOfFences(details)).not.toContain('<b>');
    expect(outsideOfFences(details)).not.toMatch(/[^\\]\| \\?<b/);
  });
});

/** What is left of Markdown without its fenced blocks, by CommonMark's rule: a fence ends with one at least as long. */
function outsideOfFences(markdown: string): string {
  const outside: string[] = [];
  let fence: string | undefined;
  for (const line of markdown.split('\n')) {
    if (fence === undefined && line.startsWith('```')) fence = /^`+/.exec(line)![0];
    else if (fence === undefined) outside.push(line);
    else if (/^ {0,3}`+\s*$/.test(line) && line.trim().length >= fence.length) fence = undefined;
  }
  expect(fence).toBeUndefined();
  return outside.join('\n');
}

it('a reason that several requests met is shown once, with the first request, however long it is', () => {
  const { waiting: a } = parkedBy(placed('q-1'), 'debate-i2-train-s001');
  const { waiting: b } = parkedBy(placed('q-2'), 'debate-i2-train-s002');
  const details = currentDetails({ ...parkedBy(''), waiting: [...a, ...b] });
  expect(details.split('EngineFailed')).toHaveLength(2);
  expect(details).toContain('First met at question q-1, agent 2, round 1');
  expect(currentDetails(parkedBy(placed('q-3', 'x'.repeat(1_500))))).toContain('First met at question q-3');
});
