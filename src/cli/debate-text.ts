import type { Debate } from '../algorithm/debate.ts';
import { colours } from './colours.ts';
import { terminalSafe } from '../text/terminal-safe.ts';

/** A debate for a terminal, round by round. Nothing in it can steer the terminal. */
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
  const before = majority.answer === consensus.answer ? '' : ` (after round 1: ${said(majority.answer)})`;
  lines.push(
    '',
    `Consensus: ${bold(said(consensus.answer))}, ${consensus.votes} of ${answers.length} votes${drawn}${before}`,
  );
  return lines.join('\n');
}

function said(answer: string | null): string {
  return answer === null ? 'none' : terminalSafe(answer);
}

function indented(text: string): string {
  return terminalSafe(text)
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}
