import { distilledModel } from '../algorithm/agents.ts';
import { type Budget, type BudgetKind, budgetKinds, raisedLimits, usedUp } from '../algorithm/steering.ts';
import { type Accuracy, accuracyInterval } from '../algorithm/measures/answers.ts';
import type { PairedTest } from '../algorithm/measures/tests.ts';
import { chance, count, duration, listed, withError } from '../text/figures.ts';
import { shellWord } from '../text/safe-text.ts';
import { type Progress, type ProgressTable, waitingSteps, waitsForBudget } from './progress.ts';

/** The table that `colloquy status`, the Temporal UI and the query `progress` show. */
export function progressTable(progress: Progress): ProgressTable {
  return {
    state: stateText(progress),
    phase: phaseText(progress),
    done: doneText(progress),
    rate: rateText(progress),
    'time left': timeLeftText(progress),
    'last loss': lossText(progress.lastLoss),
    retries: String(progress.retries),
    'waits for a person': waitingText(progress),
    'what to do': whatToDo(progress),
    ...(progress.night === undefined ? {} : { night: progress.night }),
    ...(progress.distilled === undefined ? {} : { distilled: progress.distilled }),
    ...(progress.guard === undefined ? {} : { guard: progress.guard.said }),
    ...(progress.answer === undefined ? {} : { answer: progress.answer }),
    ...(progress.budget === undefined ? {} : { budget: budgetText(progress.budget) }),
  };
}

/** How the one model that the group was distilled into does beside the debate; null when there is no such model. */
export type DistilledFigures = {
  readonly questions: number;
  readonly accuracy: Accuracy;
  readonly debate: Accuracy;
  readonly versusDebate: PairedTest;
  /** Read and written, of all answers and of all debates. */
  readonly tokens: { readonly prompt: number; readonly completion: number };
  readonly debateTokens: { readonly prompt: number; readonly completion: number };
} | null;

/** `97.0 ±1.2 % of the held-out questions at 39 tokens an answer; the debate 93.5 ±1.7 % at 500 (p = 0.143)` */
export function distilledText(figures: DistilledFigures): string {
  if (figures === null) return 'no model: the debates gave it nothing to learn from';
  const { questions, accuracy, debate, versusDebate, tokens, debateTokens } = figures;
  const each = (used: typeof tokens) => count((used.prompt + used.completion) / Math.max(1, questions));
  return (
    `one model: ${withError(accuracy, accuracyInterval(accuracy, questions))} % of the held-out questions at ${each(tokens)} tokens an answer; ` +
    `the debate ${withError(debate, accuracyInterval(debate, questions))} % at ${each(debateTokens)} (${chance(versusDebate.pValue)})`
  );
}

/** Where an experiment is, in a few words: `iteration 2 of 3: debating`. */
export function phaseName({ phase, iteration, iterations }: Progress): string {
  if (phase === 'preparing' || phase === 'done') return phase;
  return `${iteration === 0 ? 'base model' : `iteration ${iteration} of ${iterations}`}: ${phase}`;
}

/** How far the phase is, in one line beside a bar: `144 of 320 questions, 8.0 questions/s, about 22 s left`. */
export function phaseProgressText(progress: Progress, left = timeLeft(progress)): string {
  return [
    questionsText(progress) ?? stepsText(progress),
    ...(rateText(progress) === unknown ? [] : [rateText(progress)]),
    ...(left === undefined || progress.done >= progress.total ? [] : [`about ${left} left`]),
  ].join(', ');
}

/** The same where there is little room: `144/320, 22 s left`. */
export function phaseProgressShort(progress: Progress, left = timeLeft(progress)): string {
  const { unit, done, total, questions } = progress;
  const [of, all] = unit === 'shards' && total > 0 ? [(done * questions) / total, questions] : [done, total];
  const ending = left === undefined || done >= total ? '' : `, ${left} left`;
  return `${Math.floor(of)}/${all}${ending}`;
}

function stateText({ state, inFlight }: Progress): string {
  return state === 'pausing' ? `pausing: ${counted(inFlight, 'step is', 'steps are')} saving` : state;
}

function phaseText(progress: Progress): string {
  const { phase } = progress;
  const name = phaseName(progress);
  return phase === 'preparing' || phase === 'done' ? name : `${name} (${meaning[phase]})`;
}

/** For people who have not read the paper. */
const meaning: Readonly<Record<Exclude<Progress['phase'], 'preparing' | 'done'>, string>> = {
  evaluating: 'the agents answer the held-out questions, to be measured',
  debating: 'the agents debate the training questions',
  'building datasets': 'the debates are sorted into what each model is to learn',
  'fine-tuning': 'each model learns from the dataset that the debates gave it',
  distilling: 'one model learns from the debates, and then answers the held-out questions alone',
  reporting: 'the result and the report are written',
};

function doneText(progress: Progress): string {
  const { phase, evaluations } = progress;
  if (phase === 'done') return counted(Math.max(0, evaluations.length - 1), 'iteration', 'iterations');
  const questions = questionsText(progress);
  return questions === undefined ? stepsText(progress) : `${questions} (${stepsText(progress)})`;
}

function stepsText({ unit, done, total }: Progress): string {
  return `${Math.floor(done)} of ${total} ${unit}`;
}

/** Shards as questions, because people know how many of those there are; undefined for other steps. */
function questionsText({ unit, done, total, questions }: Progress): string | undefined {
  if (unit !== 'shards' || total === 0) return undefined;
  return `${Math.floor((done * questions) / total)} of ${questions} questions`;
}

function rateText(progress: Progress): string {
  const { unit, total, questions } = progress;
  const steps = stepsPerSecond(progress);
  if (steps === undefined || unit === 'steps') return unknown;
  const [perSecond, what] =
    unit === 'shards' ? [(steps * questions) / Math.max(1, total), 'questions'] : [steps, unit];
  if (perSecond >= 1) return `${rounded(perSecond)} ${what}/s`;
  if (perSecond >= 1 / 60) return `${rounded(perSecond * 60)} ${what}/min`;
  return `${rounded(perSecond * 3600)} ${what}/h`;
}

function timeLeftText(progress: Progress): string {
  const left = timeLeft(progress);
  return left === undefined ? unknown : `about ${left} in this phase`;
}

function timeLeft(progress: Progress): string | undefined {
  const left = secondsLeft(progress);
  return left === undefined ? undefined : duration(left);
}

/** How long the phase will last at its rate; undefined while that is not known, or while nothing is done. */
export function secondsLeft(progress: Progress): number | undefined {
  const steps = stepsPerSecond(progress);
  if (steps === undefined || progress.state !== 'running') return undefined;
  return (progress.total - progress.done) / steps;
}

/** Over the whole phase: undefined before its first step is done. */
function stepsPerSecond({ done, workedSeconds, phase }: Progress): number | undefined {
  return done > 0 && workedSeconds > 0 && phase !== 'done' ? done / workedSeconds : undefined;
}

function lossText(last: Progress['lastLoss']): string {
  if (last === null) return unknown;
  const whose =
    last.role === distilledModel ? 'distilled model' : `${last.role} model of agent ${last.agent}`;
  return `${last.loss.toFixed(3)} (${whose}, iteration ${last.iteration})`;
}

function waitingText({ state, waiting }: Progress): string {
  if (state === 'paused') return 'yes: it is paused';
  if (waiting.length === 0) return 'no';
  const steps = waitingSteps(waiting).length;
  return `yes: ${[
    ...(waiting.some(waitsForBudget) ? ['the budget is used up'] : []),
    ...(steps > 0 ? [`${counted(steps, 'step', 'steps')} could not be done`] : []),
  ].join('; ')}`;
}

/** `1,204,331 of 1,200,000 tokens used; 50 min of 1 h on the device` */
export function budgetText({ limits, used }: Pick<Budget, 'limits' | 'used'>): string {
  const limited = budgetKinds.filter((kind) => limits[kind] !== undefined);
  return limited.length === 0
    ? `no limit; ${budgetKinds.map((kind) => amountText(kind, used[kind])).join(', ')} used`
    : limited.map((kind) => shareText(kind, used[kind], limits[kind] ?? 0)).join('; ');
}

/** What is used up, and by how much. */
export function usedUpText(budget: Pick<Budget, 'limits' | 'used'>): string {
  const { limits, used } = budget;
  return listed(usedUp(budget).map((kind) => shareText(kind, used[kind], limits[kind] ?? 0)));
}

function shareText(kind: BudgetKind, used: number, limit: number): string {
  if (kind === 'tokens') return `${count(used)} of ${count(limit)} tokens`;
  return `${duration(used)} of ${duration(limit)} ${kind === 'wall_seconds' ? 'at work' : 'on the device'}`;
}

export function amountText(kind: BudgetKind, used: number): string {
  if (kind === 'tokens') return `${count(used)} tokens`;
  return `${count(Math.ceil(used))} seconds ${kind === 'wall_seconds' ? 'at work' : 'on the device'}`;
}

/** The settings of `colloquy set-budget` that let an experiment go on, e.g. `tokens=2000000`. */
export function raisedSettings(budget: Pick<Budget, 'limits' | 'used'>): string[] {
  const raised = raisedLimits(budget);
  return budgetKinds.flatMap((kind) => (raised[kind] === undefined ? [] : [`${kind}=${raised[kind]}`]));
}

function whatToDo({ experiment, state, waiting, budget, held }: Progress): string {
  const name = shellWord(experiment);
  if (state === 'parked' && held !== undefined && waiting.every(waitsForBudget))
    return `to go on: colloquy set-budget ${shellWord(held.study)} ${held.settings}`;
  if (state === 'parked' && budget !== undefined && waiting.every(waitsForBudget))
    return `to go on: colloquy set-budget ${name} ${raisedSettings(budget).join(' ')}`;
  switch (state) {
    case 'running':
    case 'pausing':
      return 'nothing';
    case 'paused':
      return `to go on: colloquy resume ${name}`;
    case 'parked':
      return `put the cause right, then: colloquy retry ${name}`;
    case 'finished':
      return `read the report: colloquy report ${name}`;
    case 'continued':
      return 'nothing: the next run of the experiment goes on';
    case 'failed':
    case 'cancelled':
    default:
      return 'what is finished stays: started again under this name, it goes on from there';
  }
}

const unknown = '–';

function rounded(value: number): string {
  return value >= 10 ? String(Math.round(value)) : value.toFixed(1);
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
