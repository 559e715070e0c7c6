import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import {
  baseAgents,
  critic,
  critiquePrompt,
  critiqueWithSummaryPrompt,
  firstPrompt,
  generation,
  hintPrompt,
  modelOf,
  promptSets,
  summarisePrompt,
} from '../../src/algorithm/agents.ts';
import { extractAnswer } from '../../src/algorithm/answer.ts';
import { hostileTexts } from './hostile-texts.ts';

it('all 2N models start as the same base model', () => {
  expect(baseAgents(['base', 'base', 'base'], [generation, critic])).toEqual([
    { number: 1, models: { generation: 'base', critic: 'base' } },
    { number: 2, models: { generation: 'base', critic: 'base' } },
    { number: 3, models: { generation: 'base', critic: 'base' } },
  ]);
});

it('an agent has an error for a role that it does not have', () => {
  const [agent] = baseAgents(['base'], [generation]);
  expect(() => modelOf(agent!, 'critic')).toThrow('Agent 1 has no critic model.');
});

const sets = Object.entries(promptSets);
const anyText = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...hostileTexts));
const anyPrompts = fc.constantFrom(...Object.values(promptSets));
/** The expected prompt, made in another way than the product's: cut at the placeholder and joined around the text. */
const filled = (template: string, name: string, text: string) => template.split(`{${name}}`).join(text);

describe.each(sets)('the %s prompts', (_, prompts) => {
  it('ask, show and summarise with the texts given', () => {
    expect(firstPrompt(prompts, '3+4', null)).toContain('3+4');
    expect(critiquePrompt(prompts, 'debate', ['first', 'second'])).toMatch(/first[^]*second/);
    expect(critiqueWithSummaryPrompt(prompts, 'debate', 'all say 7')).toContain('all say 7');
    expect(summarisePrompt(prompts, '3+4', ['first', 'second'])).toMatch(/3\+4[^]*first[^]*second/);
  });

  it('leave no placeholder unfilled', () => {
    const texts = [
      firstPrompt(prompts, 'Q', null),
      critiquePrompt(prompts, 'debate', ['R']),
      critiquePrompt(prompts, 'debate', []),
      critiqueWithSummaryPrompt(prompts, 'debate', 'S'),
      firstPrompt(prompts, 'Q', 3),
      critiquePrompt(prompts, 'cooperate', ['R']),
      critiqueWithSummaryPrompt(prompts, 'cooperate', 'S'),
      hintPrompt(prompts, 'Q', '7'),
      summarisePrompt(prompts, 'Q', ['R']),
    ];
    for (const text of texts) expect(text).not.toMatch(/\{(question|responses?|summary|agent|prompt)\}/);
  });

  it('have a place for each thing that they are about', () => {
    for (const place of ['{agent}', '{prompt}']) expect(prompts.identified).toContain(place);
    for (const place of ['{question}', '{answer}']) expect(prompts.hint).toContain(place);
    expect(prompts.cooperate).toContain('{responses}');
    expect(prompts.cooperateWithSummary).toContain('{summary}');
  });

  it('distinguish agents that have an id, and ask for cooperation in other words than for criticism', () => {
    expect(firstPrompt(prompts, 'Q', 2)).not.toBe(firstPrompt(prompts, 'Q', 3));
    expect(firstPrompt(prompts, 'Q', 2)).toContain(firstPrompt(prompts, 'Q', null));
    expect(critiquePrompt(prompts, 'cooperate', ['R'])).not.toBe(critiquePrompt(prompts, 'debate', ['R']));
    expect(critiqueWithSummaryPrompt(prompts, 'cooperate', 'S')).toContain('S');
  });

  it('have a place for each thing that they are about', () => {
    for (const place of ['{agent}', '{prompt}']) expect(prompts.identified).toContain(place);
    for (const place of ['{question}', '{answer}']) expect(prompts.hint).toContain(place);
    expect(prompts.cooperate).toContain('{responses}');
    expect(prompts.cooperateWithSummary).toContain('{summary}');
  });

  it('have a text for a critic that has no other agents', () => {
    expect(critiquePrompt(prompts, 'debate', [])).not.toBe('');
    expect(critiquePrompt(prompts, 'debate', [])).not.toMatch(/other/i);
  });

  it.each(hostileTexts)('pass %j on unchanged', (text) => {
    expect(firstPrompt(prompts, text, null)).toBe(filled(prompts.question, 'question', text));
    expect(critiqueWithSummaryPrompt(prompts, 'debate', text)).toBe(
      filled(prompts.critiqueWithSummary, 'summary', text),
    );
    expect(critiquePrompt(prompts, 'debate', [text])).toContain(filled(prompts.other, 'response', text));
    expect(summarisePrompt(prompts, text, [text])).toContain(filled(prompts.other, 'response', text));
  });
});

it.each(['paper', 'reflect'] as const)(
  'the %s prompts ask for a boxed answer in every turn that answers',
  (name) => {
    const prompts = promptSets[name];
    const turns = [
      firstPrompt(prompts, 'Q', null),
      critiquePrompt(prompts, 'debate', ['R']),
      critiquePrompt(prompts, 'debate', []),
      critiquePrompt(prompts, 'cooperate', ['R']),
      critiqueWithSummaryPrompt(prompts, 'debate', 'S'),
      critiqueWithSummaryPrompt(prompts, 'cooperate', 'S'),
    ];
    for (const turn of turns) expect(turn).toContain('\\boxed{}');
  },
);

describe('the reflect prompts', () => {
  const { paper, reflect } = promptSets;

  it('ask the question as those of the paper do: base answers are the same', () => {
    expect(firstPrompt(reflect, 'Q', null)).toBe(firstPrompt(paper, 'Q', null));
    expect(summarisePrompt(reflect, 'Q', ['R'])).toBe(summarisePrompt(paper, 'Q', ['R']));
  });

  it.each([
    ['the others’ answers', critiquePrompt(reflect, 'debate', ['R'])],
    ['a summary of them', critiqueWithSummaryPrompt(reflect, 'debate', 'S')],
    ['no others', critiquePrompt(reflect, 'debate', [])],
  ])('ask an agent with %s to reflect on its own answer, and to change it only for a reason', (_, text) => {
    expect(text).toMatch(/reflect on your (?:own )?solution/i);
    expect(text).toContain('Change your answer only for a reason that you can name');
  });
});

it.each(sets)(
  'the %s prompts hold nothing that would be an answer if a model repeated them',
  (_, prompts) => {
    for (const [name, text] of Object.entries(prompts)) {
      // The hint gives the answer away: repeating it whole is found by comparing with it.
      const asked = hintPrompt(prompts, 'How many are left?', '31');
      expect(extractAnswer(name === 'hint' ? asked : text, [asked])).toBeNull();
    }
  },
);

it('a prompt holds the texts and the template, and nothing else, whatever the texts are', () => {
  fc.assert(
    fc.property(anyPrompts, anyText, fc.array(anyText, { minLength: 1 }), (prompts, question, responses) => {
      const shown = responses.map((response) => filled(prompts.other, 'response', response)).join('\n');
      const [before = '', after = ''] = prompts.critique.split('{responses}');
      expect(critiquePrompt(prompts, 'debate', responses)).toBe(before + shown + after);
      const [start = '', rest = ''] = prompts.summarise.split('{question}');
      const [middle = '', end = ''] = rest.split('{responses}');
      expect(summarisePrompt(prompts, question, responses)).toBe(start + question + middle + shown + end);
    }),
  );
});
