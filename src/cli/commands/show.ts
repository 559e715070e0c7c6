import type { Debate } from '../../algorithm/debate.ts';
import { terminalSafe } from '../../text/safe-text.ts';
import { isThere } from '../../store/blobs.ts';
import { readDebates } from '../../store/records/rows.ts';
import { begunIterations, type ExperimentFiles, experimentFiles, openStore } from '../../store/store.ts';
import { experimentName, iterationNumber } from '../arguments.ts';
import { command, jsonOption } from '../command.ts';
import { colours, printJson } from '../terminal.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';

/** `colloquy show NAME [QUESTION_ID]` */
export const show = command('show', [
  'colloquy show quickstart                       # a question on which the agents differed',
  'colloquy show quickstart train-00017           # of the newest iteration',
  'colloquy show quickstart heldout-00003 --iteration 0      # of the base model',
])
  .argument('<name>', "the experiment's name", experimentName)
  .argument('[question]', "the question's id, e.g. train-00017")
  .option(
    '--iteration <i>',
    'show the debate of this iteration (default: the newest that has it)',
    iterationNumber,
  )
  .addOption(jsonOption)
  .action(async (name, question, { iteration, json }) => {
    const store = openStore();
    const files = experimentFiles(store, name);
    if (!(await isThere(files.config))) throw new NoSuchExperiment(name, store.root);
    const iterations = iteration === undefined ? (await begunIterations(files)).toReversed() : [iteration];
    const found = await findDebate(files, iterations, question);
    if (found === undefined) {
      throw new DebateNotFound(
        `${files.folder.where} has no finished debate${question === undefined ? '' : ` of ${question}`}` +
          `${iteration === undefined ? '' : ` in iteration ${iteration}`}. ` +
          'Ids are like train-00017 and heldout-00003; iteration-I/debates/ and iteration-I/evaluation/ hold what is done.',
      );
    }
    if (json) printJson({ iteration: found.iteration, ...found.debate });
    else console.log(debateText(found.debate, found.iteration));
  });

/** The store has no experiment of that name. */
export class NoSuchExperiment extends ColloquyError {
  override name = 'NoSuchExperiment' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(experiment: string, store: string) {
    super(
      `There is no experiment "${experiment}" in the store ${store}. \`colloquy status\` lists the experiments; COLLOQUY_STORE names another store.`,
    );
  }
}

/** The experiment has no such debate, or not yet. */
export class DebateNotFound extends ColloquyError {
  override name = 'DebateNotFound' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
}

/** Without an id: the first debate on which the agents' first answers differed, otherwise the first of all. */
async function findDebate(
  files: ExperimentFiles,
  iterations: readonly number[],
  id: string | undefined,
): Promise<{ debate: Debate; iteration: number } | undefined> {
  let first: { debate: Debate; iteration: number } | undefined;
  for (const iteration of iterations) {
    for (const split of ['heldout', 'train', 'validation'] as const) {
      for await (const debate of readDebates(files.debates(iteration, split))) {
        first ??= id === undefined ? { debate, iteration } : undefined;
        const wanted =
          id === undefined ? debate.majority.votes < debate.answers.length : debate.question.id === id;
        if (wanted) return { debate, iteration };
      }
    }
  }
  return first;
}

/** A debate for the terminal, round by round, without control characters. */
export function debateText(debate: Debate, iteration: number): string {
  const { bold, dim, green, red } = colours();
  const { question, dialogues, answers, agrees, majority, consensus } = debate;
  const lines = [
    `${bold(terminalSafe(question.id))} ${dim(`iteration ${iteration}`)}`,
    terminalSafe(question.text),
  ];
  const rounds = Math.max(...answers.map((byRound) => byRound.length));
  for (let round = 1; round <= rounds; round++) {
    lines.push('', bold(`Round ${round}`));
    for (const [agent, dialogue] of dialogues.entries()) {
      const answer = answers[agent]?.[round - 1] ?? null;
      const agreeing = agrees[agent]?.[round - 1] === true;
      const verdict =
        answer === null ? red('no readable answer') : (agreeing ? green : red)(terminalSafe(answer));
      lines.push(`  agent ${agent + 1}: ${verdict}${agreeing ? '' : dim(' (not the consensus)')}`);
      const shown = round > 1 ? dialogue[2 * round - 2]?.content : undefined;
      if (shown !== undefined) lines.push(dim(indented(`was shown: ${shown}`)));
      lines.push(indented(dialogue[2 * round - 1]?.content ?? ''));
    }
  }
  const drawn = consensus.tied > 1 ? `, drawn among ${consensus.tied} with as many` : '';
  const before =
    majority.answer === consensus.answer ? '' : ` (after round 1: ${answerText(majority.answer)})`;
  lines.push(
    '',
    `Consensus: ${bold(answerText(consensus.answer))}, ${consensus.votes} of ${answers.length} votes${drawn}${before}`,
  );
  return lines.join('\n');
}

function answerText(answer: string | null): string {
  return answer === null ? 'none' : terminalSafe(answer);
}

function indented(text: string): string {
  return terminalSafe(text)
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}
