import { createGrader } from '../../grading/grader.ts';
import { gradeLines } from '../../grading/grade-lines.ts';
import { command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { UsageError } from '../usage-error.ts';

/** `colloquy grade` */
export const grade = command({
  name: 'grade',
  description: 'judge answers: JSON lines {gold, answer} on stdin, the same with "equal" on stdout',
  examples: [
    `echo '{"gold": "1/2", "answer": "0.5"}' | colloquy grade`,
    'colloquy grade < pairs.jsonl > graded.jsonl',
  ],
  args: {},
  run: async () => {
    if (process.stdin.isTTY) throw new UsageError('There is nothing on stdin.', 'grade');
    const grader = createGrader();
    try {
      await gradeLines(process.stdin, process.stdout, grader);
    } finally {
      await grader.close();
    }
    return exitCodes.ok;
  },
});
