import { openAskedDebaters, debatersOption } from '../debaters.ts';
import { command, jsonOption } from '../command.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { isEmbedded } from '../../report/findings/warnings.ts';
import { UsageError } from '../errors.ts';
import { interruptSignal, printJson } from '../terminal.ts';
import { debateText } from './show.ts';

/** `colloquy ask "QUESTION"` */
export const ask = debatersOption(
  command('ask', 'ask the trained agents one question, and see their debate', [
    'colloquy ask "3+4*5-6" --experiment quickstart',
    'colloquy ask "3+4*5-6" --experiment quickstart --iteration 0    # the base model',
    'colloquy ask "3+4*5-6" --series nightly                         # the agents of the last accepted night',
    'colloquy ask "3+4*5-6" --json',
  ]),
)
  .argument('<question>', 'in the words of the task')
  .option('--seed <n>', "another draw (default: the experiment's seed)", seedNumber)
  .addOption(jsonOption)
  .action(async (question, { json, seed, ...which }) => {
    if (question.trim() === '') throw new UsageError('The question is empty.', 'ask');
    const debaters = await openAskedDebaters(which);
    const { signal, dispose } = interruptSignal();
    try {
      if (!arithmeticOnly(debaters.config, question))
        console.error('Warning: the embedded model only knows arithmetic in digits, such as 3+4*5-6.');
      console.error(`Asking the agents of ${debaters.experiment} ...`);
      const debate = await debaters.debate(question, { seed, signal });
      if (json) printJson({ experiment: debaters.experiment, iteration: debaters.iteration, ...debate });
      else console.log(debateText(debate, debaters.iteration));
    } finally {
      await debaters.close();
      dispose();
    }
  });

/** False for a question that the embedded model cannot understand. */
function arithmeticOnly(config: ExperimentConfig, question: string): boolean {
  return !isEmbedded(config) || /^[-+*\d\s]+$/.test(question);
}

function seedNumber(given: string): number {
  if (/^\d{1,9}$/.test(given)) return Number(given);
  throw new UsageError('--seed takes a number from 0 to 999999999.', 'ask');
}
