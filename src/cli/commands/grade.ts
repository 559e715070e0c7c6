import { gradeLines } from '../../grading/grade-lines.ts';
import { createGrader } from '../../grading/grader.ts';
import { command } from '../command.ts';
import { UsageError } from '../../errors.ts';

/** `colloquy grade` */
export const grade = command('grade', [
  `echo '{"gold": "1/2", "answer": "0.5"}' | colloquy grade`,
  `echo '{"gold": "21", "response": "So the answer is 21."}' | colloquy grade`,
  'colloquy grade < pairs.jsonl > graded.jsonl',
]).action(async () => {
  if (process.stdin.isTTY) throw new UsageError('There is nothing on stdin.', 'grade');
  const grader = createGrader();
  try {
    await gradeLines(process.stdin, process.stdout, grader);
  } finally {
    await grader.close();
  }
});
