import type { Debate } from '../../algorithm/debate.ts';
import { readDebates } from '../../store/records/rows.ts';
import { experimentFilesIn, iterationsIn, openStore } from '../../store/store.ts';
import { command, jsonFlag, nameArgument } from '../command.ts';
import { debateText } from '../debate-text.ts';
import { exitCodes } from '../exit-codes.ts';
import { experimentName } from '../experiment-argument.ts';
import { iterationOption } from '../iteration-option.ts';
import { printJson } from '../print-json.ts';

/** There is no such debate, or none yet. */
export class DebateNotFound extends Error {
  override name = 'DebateNotFound' as const;
}

/** `colloquy show NAME [QUESTION_ID]` */
export const show = command({
  name: 'show',
  description: 'print one debate: who said what in each round, and what the vote made of it',
  examples: [
    'colloquy show quickstart                       # a question on which the agents differed',
    'colloquy show quickstart train-00017           # of the newest iteration',
    'colloquy show quickstart heldout-00003 --iteration 0      # of the base model',
  ],
  args: {
    ...nameArgument,
    question: { type: 'positional', description: "the question's id, e.g. train-00017", required: false },
    iteration: {
      type: 'string',
      description: 'which iteration (default: the newest that has it)',
      valueHint: 'i',
    },
    ...jsonFlag,
  },
  run: async ({ name, question, iteration, json }) => {
    const folder = openStore().experiment(experimentName(name));
    const found = await findDebate(folder, await iterationsToSearch(folder, iteration), question);
    if (found === undefined) {
      throw new DebateNotFound(
        `${folder} has no finished debate${question === undefined ? '' : ` of ${question}`}` +
          `${iteration === undefined ? '' : ` in iteration ${iteration}`}. ` +
          'Ids are like train-00017 and heldout-00003; iteration-I/debates/ and iteration-I/evaluation/ hold what is done.',
      );
    }
    if (json) printJson({ iteration: found.iteration, ...found.debate });
    else console.log(debateText(found.debate, found.iteration));
    return exitCodes.ok;
  },
});

/** Newest first. */
async function iterationsToSearch(folder: string, given: string | undefined): Promise<number[]> {
  const wanted = iterationOption(given, 'show');
  if (wanted !== undefined) return [wanted];
  return (await iterationsIn(folder)).toReversed();
}

/** Without an id: the first debate on which the agents' first answers differed, else the first there is. */
async function findDebate(
  folder: string,
  iterations: readonly number[],
  id: string | undefined,
): Promise<{ debate: Debate; iteration: number } | undefined> {
  let first: { debate: Debate; iteration: number } | undefined;
  for (const iteration of iterations) {
    for (const split of ['heldout', 'train'] as const) {
      for await (const debate of readDebates(experimentFilesIn(folder).debates(iteration, split))) {
        first ??= id === undefined ? { debate, iteration } : undefined;
        const wanted =
          id === undefined ? debate.majority.votes < debate.answers.length : debate.question.id === id;
        if (wanted) return { debate, iteration };
      }
    }
  }
  return first;
}
