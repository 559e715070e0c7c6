/** Runs the steps of the set-up. Steps that have work to do run side by side. */
import { performance } from 'node:perf_hooks';

/** A reason why the set-up cannot go on, with what the user can do about it. Any other error is a bug. */
export class SetupProblem extends Error {
  /**
   * @param {string} what what happened, a sentence
   * @param {string} remedy what to do, one or more lines
   */
  constructor(what, remedy) {
    super(what);
    this.name = 'SetupProblem';
    this.remedy = remedy;
  }
}

/**
 * One step of the set-up.
 *
 * @typedef {object} Step
 * @property {string} name as it is printed
 * @property {string} key its name among the tools, and for `node scripts/setup.mjs NAME`
 * @property {() => Done | null | Promise<Done | null>} current what is there already, found in a fraction of a second; null
 *   when work is needed
 * @property {() => Promise<Plan>} plan looks for what the work needs; throws SetupProblem when that is missing
 */

/**
 * @typedef {object} Plan
 * @property {string} [announce] what will be done, if it takes long
 * @property {() => string} [progress] how far the work has come
 * @property {(onWait: (holder: string) => void) => Promise<Done>} carryOut
 */

/**
 * @typedef {object} Done
 * @property {string} result the path that the step is for
 * @property {string} note where it comes from
 * @property {string} [madeFor] what it was made for, so that the next set-up can see whether it still fits
 */

/**
 * Brings every step up to date and returns what each step found or made, by its key. Prints one line a step with its
 * seconds; a step that takes long also has a line when it begins and one every `progressMs`.
 *
 * @param {readonly Step[]} steps
 * @param {(line: string) => void} print
 * @param {{ progressMs?: number }} [options]
 * @returns {Promise<Record<string, Done>>}
 * @throws {AggregateError} of the SetupProblems of all steps, so that the user sees at once everything that is missing
 */
export async function setUp(steps, print, { progressMs = 30_000 } = {}) {
  const start = performance.now();
  const width = Math.max(...steps.map(({ name }) => name.length));
  /** @param {Step} step @param {string} words @param {number} [since] */
  const say = ({ name }, words, since) =>
    print(
      `  ${name.padEnd(width)}  ${since === undefined ? '      …' : seconds(since).padStart(7)}  ${words}`,
    );

  // All plans come first: what is missing must show before anything begins that takes minutes.
  const plans = await allOrEveryProblem(
    steps.map(async (step) => {
      const current = await step.current();
      return { step, current, plan: current === null ? await step.plan() : null };
    }),
  );
  const done = await allOrEveryProblem(
    plans.map(async ({ step, current, plan }) => {
      const since = plan === null ? start : performance.now();
      if (plan?.announce !== undefined) say(step, plan.announce);
      const progress = setInterval(
        () => say(step, `${plan?.progress?.() ?? 'still working'}, after ${seconds(since)}`),
        progressMs,
      );
      try {
        const result =
          current ?? (await plan?.carryOut((holder) => say(step, `waiting for another set-up (${holder})`)));
        if (result === undefined) throw new Error(`${step.name}: neither current nor planned`);
        say(step, result.note, since);
        return /** @type {const} */ ([step.key, result]);
      } catch (error) {
        say(step, 'failed, see below', since);
        throw error;
      } finally {
        clearInterval(progress);
      }
    }),
  );
  return Object.fromEntries(done);
}

/**
 * Shows what kept the set-up from its end, and what to do about it, and sets exit code 1. Throws what is a bug.
 *
 * @param {unknown} error of `setUp`, or a SetupProblem
 */
export function showProblems(error) {
  const problems = error instanceof AggregateError ? error.errors : [error];
  if (!problems.every((problem) => problem instanceof SetupProblem)) throw error;
  const said = new Set(problems.map(({ message, remedy }) => `\n${message}\n  -> ${remedy}`));
  for (const words of said) console.error(words);
  process.exitCode = 1;
}

/** @param {number} since */
export function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

/**
 * Like Promise.all, but waits until all have ended, and throws every SetupProblem among them. Another error is a bug.
 *
 * @template T
 * @param {readonly Promise<T>[]} promises
 * @returns {Promise<T[]>}
 */
async function allOrEveryProblem(promises) {
  const settled = await Promise.allSettled(promises);
  const reasons = settled.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
  const bug = reasons.find((reason) => !(reason instanceof SetupProblem));
  if (bug !== undefined) throw bug;
  if (reasons.length > 0) throw new AggregateError(reasons, 'The set-up is not complete.');
  return settled.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
}
