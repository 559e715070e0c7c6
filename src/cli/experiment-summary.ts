import type { ExperimentConfig } from '../config/experiment.ts';
import { shellWord } from '../text/terminal-safe.ts';

/** What an experiment is, in a line: the Temporal UI shows it above the run. At most 200 bytes are kept. */
export function experimentSummary({ agents, rounds, iterations, task, model }: ExperimentConfig): string {
  const who = `${agents} ${agents === 1 ? 'agent' : 'agents'}`;
  const often = `${iterations} ${iterations === 1 ? 'iteration' : 'iterations'}`;
  return `${who} debate ${task.kind} questions in ${rounds} rounds; ${often} of fine-tuning ${model.model_name_or_path}`.slice(
    0,
    180,
  );
}

/** How it is steered, as Markdown for the Temporal UI. What it is doing is in its current details. */
export function experimentDetails(name: string): string {
  const steering = ['status', 'pause', 'resume', 'set-iterations', 'abort'].map(
    (command) => `colloquy ${command} ${shellWord(name)}${command === 'set-iterations' ? ' 5' : ''}`,
  );
  return [
    'The base model is evaluated; then, in each iteration, the agents debate the training questions, each is fine-tuned on its side of the debates, and all are evaluated again. Each iteration is a run of its own.',
    ['```', ...steering, '```'].join('\n'),
    'Steps are debates of a shard of questions, datasets of an agent, fine-tunes of a model. A step that fails is tried again; one that cannot be done waits, and the current details say for what.',
  ].join('\n\n');
}
