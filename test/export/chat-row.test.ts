import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Message } from '../../src/algorithm/prompts.ts';
import { chatRow } from '../../src/export/chat-row.ts';

const message = fc.record({
  role: fc.constantFrom('user' as const, 'assistant' as const),
  content: fc.string(),
});

describe('an example as a chat', () => {
  it('has the messages of the dialogue in their order, and the loss on the last one alone', () => {
    fc.assert(
      fc.property(fc.array(message), fc.string(), (prompt, content) => {
        const response: Message = { role: 'assistant', content };
        const { messages } = chatRow({ prompt, completion: [response] });
        expect(messages.map(({ role, content }) => ({ role, content }))).toEqual([...prompt, response]);
        expect(messages.map(({ weight }) => weight)).toEqual([
          ...prompt.map(({ role }) => (role === 'assistant' ? 0 : undefined)),
          1,
        ]);
      }),
    );
  });
});
