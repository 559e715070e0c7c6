import { terminalSafe } from '../report/terminal-safe.ts';

/** A step in words, from its activity's id: `debate-i2-train-s003` is `shard 4 of iteration 2's training questions`. */
export function stepText(id: string): string {
  const debate = /^debate-i(\d+)-(train|heldout)-s(\d+)$/.exec(id);
  if (debate) {
    const questions = debate[2] === 'train' ? 'training' : 'held-out';
    return `the debates of shard ${Number(debate[3]) + 1} of the ${questions} questions, ${iterationText(debate[1])} (${id})`;
  }
  const fineTune = /^finetune-i(\d+)-agent(\d+)-(\w+)$/.exec(id);
  if (fineTune)
    return `the fine-tune of agent ${fineTune[2]}'s ${fineTune[3]} model, ${iterationText(fineTune[1])} (${id})`;
  const other = /^(datasets|evaluate|record)-i(\d+)/.exec(id);
  if (other) return `${otherSteps[other[1] ?? ''] ?? ''}, ${iterationText(other[2])} (${id})`;
  return terminalSafe(id);
}

const otherSteps: Readonly<Record<string, string>> = {
  datasets: 'the building of the datasets',
  evaluate: 'the comparison with the gold answers',
  record: 'the record of what was done',
};

function iterationText(iteration = ''): string {
  return iteration === '0' ? 'base model' : `iteration ${iteration}`;
}
