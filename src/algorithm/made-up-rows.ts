/** What will rows look like? Their texts can be tried on a model's template before a question is asked. */
import { type Completion, type Example, rowExample } from './dataset.ts';
import { critiquePrompt, firstPrompt, type Message, type PromptSetName, promptSets } from './prompts.ts';

/** A row of a kind, as a dataset would have it, with texts that no model wrote. */
export type MadeUpRow = Example & { readonly kind: string };

const kinds: Readonly<Record<Completion, string>> = {
  'first answer': 'a first answer',
  revision: 'a revised answer',
  rationale: 'a rationale',
};

/** A row of each kind that debates of `rounds` rounds lead to. */
export function madeUpRows(promptSet: PromptSetName, rounds: number): MadeUpRow[] {
  const prompts = promptSets[promptSet];
  const asked = [firstPrompt(prompts, '12+3*8-5', null)];
  for (let round = 2; round <= rounds; round++)
    asked.push(critiquePrompt(prompts, 'debate', ['3*8=24;12+24=36;36-5=31']));
  const dialogue = asked.flatMap((content, before): Message[] => [
    { role: 'user', content },
    { role: 'assistant', content: `3*8=24;12+24=36;36-5=${31 + before}` },
  ]);
  return Object.entries(kinds).flatMap(([completion, kind]) => {
    const example = rowExample(
      { questionId: '', agent: 1, completion: completion as Completion },
      { dialogues: [dialogue] },
    );
    return example === null ? [] : [{ kind, ...example }];
  });
}
