/** Carries out the steps of the set-up, the ones that have work to do beside each other. */
import { performance } from 'node:perf_hooks';
import { SetupProblem } from './problem.mjs';

/**
 * One step of the set-up.
 *
 * @typedef {object} Step
 * @property {string} name as it is printed
 * @property {string} key its name in `.tools.json`
 * @property {() => Done | null} current what is there already, found without starting a program; null when work is needed
 * @property {() => Promise<Plan>} plan looks for what the work needs; throws SetupProblem when that is missing
 */

/**
 * @typedef {object} Plan
 * @property {string} [announce] what will be done, where it takes long
 * @property {(onWait: (holder: string) => void) => Promise<Done>} carryOut
 */

/**
 * @typedef {object} Done
 * @property {string} result the path that the step is for
 * @property {string} note where it comes from
 * @property {string} [madeFor] what it was made for, to know next time whether it still fits
 */

/** Where a step takes long, a line this often says that it still goes on. */
const stillEveryMs = 30_000;

/**
 * Brings every step up to date and returns what each found or made, by its key. One line a step, with its seconds.
 *
 * @param {readonly Step[]} steps
 * @param {(line: string) => void} print
 * @returns {Promise<Record<string, Done>>}
 * @throws {AggregateError} of every step's SetupProblem: what is missing is all said at once
 */
export async function setUp(steps, print) {
  const start = performance.now();
  const width = Math.max(...steps.map(({ name }) => name.length));
  /** @param {Step} step @param {string} words @param {number} [since] */
  const say = ({ name }, words, since) =>
    print(
      `  ${name.padEnd(width)}  ${since === undefined ? '      …' : seconds(since).padStart(7)}  ${words}`,
    );

  // First everything that can be missing, before anything that takes minutes.
  const plans = await allOrEveryProblem(
    steps.map(async (step) => ({
      step,
      current: step.current(),
      plan: step.current() ? null : await step.plan(),
    })),
  );
  const done = await allOrEveryProblem(
    plans.map(async ({ step, current, plan }) => {
      const since = plan === null ? start : performance.now();
      if (plan?.announce !== undefined) say(step, plan.announce);
      const still = setInterval(() => say(step, `still at it after ${seconds(since)}`), stillEveryMs);
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
        clearInterval(still);
      }
    }),
  );
  return Object.fromEntries(done);
}

/** @param {number} since */
export function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

/**
 * Like Promise.all, but lets all of them end, and tells of every SetupProblem among them. Another error is a bug.
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
