/**
 * The paper's arithmetic task (section 4.1): expressions such as `3+7*2+9-4*5` of drawn numbers. The question is the bare
 * expression; its difficulty is set by the form and the ranges.
 */
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { seedFor } from '../algorithm/random.ts';
import { InvalidConfig } from '../config/faults.ts';
import type { ArithmeticTask } from '../config/tasks.ts';
import type { AnswerRules } from '../algorithm/answer.ts';
import { requireValidation } from './select.ts';
import type { Problem, QuestionPool, Task } from './task.ts';

/** The task of a form, e.g. `a+b*c-d`. */
export function arithmeticTask(config: ArithmeticTask, answers: AnswerRules): Task {
  return {
    // A series keeps its form and seed, so the held-out questions are the same in every night.
    pool: async (seed) => arithmeticPool(config, seed),
    heldOut: async (seed) => arithmeticPool(config, seed).heldOut,
    answers,
  };
}

/**
 * All questions of a form. The held-out ones are drawn first: they depend on the seed, the form and the ranges, and
 * not on how many questions are trained on.
 *
 * @throws InvalidConfig when the form has fewer questions than are asked for
 */
function arithmeticPool(task: ArithmeticTask, seed: number): QuestionPool {
  const letters = [...new Set(task.form.match(/[a-z]/g))];
  const ranges = new Map(letters.map((letter) => [letter, task.ranges[letter] ?? task.range]));
  const possible = [...ranges.values()].reduce((product, [least, most]) => product * (most - least + 1), 1);
  const { validation_size: validationSize = 0 } = task;
  const wanted = task.train_size + task.test_size + validationSize;
  if (possible < wanted) {
    const more = validationSize === 0 ? '' : ` and ${validationSize} validation`;
    const message = `${task.train_size} training and ${task.test_size} held-out${more} questions were asked for, but ${task.form} with these ranges has only ${possible}; widen the ranges or ask for fewer`;
    throw new InvalidConfig([{ path: 'task', message }]);
  }

  /** Drawn again until new: even when all that is possible is asked for, that takes some n ln n draws. */
  function* draws(purpose: string, seen: Set<string>): Generator<Problem> {
    const generator = xoroshiro128plus(seedFor({ seed, iteration: 0, purpose }));
    while (seen.size < possible) {
      const values = new Map(
        [...ranges].map(([letter, [least, most]]) => [letter, uniformInt(generator, least, most)]),
      );
      const text = task.form.replace(/[a-z]/g, (letter) => String(values.get(letter)));
      if (seen.has(text)) continue;
      seen.add(text);
      yield { text, answer: valueOf(text) };
    }
  }
  const heldOut = first(task.test_size, draws('arithmetic-heldout', new Set()));
  const inOrder = (cycle: number) =>
    draws(
      cycle === 0 ? 'arithmetic-train' : `arithmetic-train ${cycle}`,
      new Set(heldOut.map(({ text }) => text)),
    );
  return {
    heldOut,
    size: possible - task.test_size,
    training: () => first(task.train_size, inOrder(0)),
    trainSize: task.train_size,
    inOrder,
    validation: (trained) => {
      const seen = new Set(heldOut.map(({ text }) => text));
      const problems = first(validationSize, draws('arithmetic-validation', seen), trained);
      requireValidation(validationSize, problems.length, task.form);
      return { problems, leftOut: [] };
    },
    leftOut: [],
  };
}

function first(
  count: number,
  problems: Iterable<Problem>,
  passed: (text: string) => boolean = () => false,
): Problem[] {
  const taken: Problem[] = [];
  if (count === 0) return taken;
  for (const problem of problems) {
    if (passed(problem.text)) continue;
    taken.push(problem);
    if (taken.length === count) break;
  }
  return taken;
}

/** Exact: a product of many numbers leaves what a double can hold. */
function valueOf(expression: string): string {
  let sum = 0n;
  for (const [, sign, product = ''] of expression.matchAll(/([+-]?)(\d+(?:\*\d+)*)/g)) {
    const value = product.split('*').reduce((result, factor) => result * BigInt(factor), 1n);
    sum += sign === '-' ? -value : value;
  }
  return String(sum);
}
