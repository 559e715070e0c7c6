// The thread in which the compute engine runs, so that it can be ended: its own time limit stops neither its parser nor big powers.
// It is plain JavaScript, because a worker thread starts without tsx, and Node 20 cannot read TypeScript.
import { parentPort } from 'node:worker_threads';
import { ComputeEngine, isNumber } from '@cortex-js/compute-engine';

const engine = new ComputeEngine();
engine.precision = 60;

/** @typedef {{ relation: 'equal' | 'proportional' | 'positively proportional', a: string, b: string }} Question */

/**
 * Values of the variables: no simple ratios, and both signs, so that |x| is not x and \sqrt{x^2} is not x.
 * They are fixed, so that a pair gets the same result every time.
 */
const POINTS = [
  [0.739085133215, 1.324717957244, 0.567143290409, 1.763222834351, 0.915965594177, 1.202056903159],
  [1.902160583104, 0.643410546288, 2.506628274631, 0.476936276204, 1.644934066848, 2.236067977499],
  [-0.834626841674, -1.451369234883, 0.310590163529, -0.261497212847, 1.186569110415, -2.02875783811],
  [-1.772453850905, 0.592632718201, -0.662743419349, 2.14191271314, -0.414213562373, 0.280169499023],
  [3.359885666243, -2.622057554292, 1.098612288668, -0.114942044853, -3.275822918721, 0.764223653589],
];

/** @param {Question} question */
function answer({ relation, a, b }) {
  engine.pushScope();
  try {
    const left = engine.parse(readable(a));
    const right = engine.parse(readable(b));
    if (!left.isValid || !right.isValid) return false;
    return relation === 'equal'
      ? equal(left, right)
      : proportional(left, right, relation === 'positively proportional');
  } catch {
    // The expression is too large or not understood, so equality is not proven. The engine throws errors of many kinds then.
    return false;
  } finally {
    engine.popScope();
  }
}

/** Rewrites what the engine reads wrongly: a(b+c) as a function call, [..] as a list, D, N and the exponents T and H as operators. */
function readable(/** @type {string} */ latex) {
  return latex
    .replaceAll('[', '(')
    .replaceAll(']', ')')
    .replace(/\\sqrt\(([^()]*)\)\{/g, '\\sqrt[$1]{')
    .replace(/(?<![a-zA-Z\\])([DNTH])(?![a-zA-Z_])/g, '$1_{0}')
    .replace(/(?<![a-zA-Z\\])([a-eh-zA-EHJ-OQ-Z](?:_\{\w+\})?)\(/g, '$1\\cdot(')
    .replace(/(\\(?:alpha|beta|gamma|delta|theta|lambda|mu|pi|rho|sigma|tau|phi|omega))\s*\(/g, '$1\\cdot(');
}

/** @typedef {import('@cortex-js/compute-engine').Expression} Expression */

/** @param {Expression} left @param {Expression} right */
function equal(left, right) {
  const names = unknowns(left, right);
  if (names.length === 0) {
    const [one, two] = [value(left, names, 0), value(right, names, 0)];
    if (one === null || two === null) return false;
    return isLarge(one) ? left.evaluate().isSame(right.evaluate()) : near(one, two);
  }
  // x^{2/3} and \sqrt[3]{x^2} count as equal although the first is complex for negative x; \ln|x| and \ln x do not.
  const strict = /"(?:Ln|Log|Abs)"/.test(JSON.stringify([left.json, right.json]));
  let compared = 0;
  for (let point = 0; point < POINTS.length; point++) {
    const [one, two] = [value(left, names, point), value(right, names, point)];
    if (one === null || two === null) continue;
    if (isLarge(one) || isLarge(two)) continue;
    if (point > 1 && (!isReal(one) || !isReal(two))) {
      if (strict && isReal(one) !== isReal(two)) return false;
      continue;
    }
    if (!near(one, two)) return false;
    compared++;
  }
  return compared >= 2 || (compared === 0 && finite(left) && finite(right) && left.isSame(right));
}

/** @param {Expression} left @param {Expression} right @param {boolean} positive */
function proportional(left, right, positive) {
  const names = unknowns(left, right);
  if (names.length === 0) return false;
  /** @type {Expression | null} */
  let first = null;
  let compared = 0;
  for (let point = 0; point < POINTS.length; point++) {
    const [one, two] = [value(left, names, point), value(right, names, point)];
    if (one === null || two === null || !isReal(one) || !isReal(two)) continue;
    if (isZero(one) || isZero(two)) return false;
    const ratio = engine.box(['Divide', one, two]).N();
    if (positive && !(ratio.re > 0)) return false;
    if (first !== null && !near(first, ratio)) return false;
    first ??= ratio;
    compared++;
  }
  return compared >= 3;
}

/** @param {Expression} left @param {Expression} right */
function unknowns(left, right) {
  return [...new Set([...left.unknowns, ...right.unknowns])].toSorted();
}

/** The value of an expression at a point; null when it has none, like f(x), or is not finite. @param {Expression} expression @param {string[]} names @param {number} point */
function value(expression, names, point) {
  const row = POINTS[point] ?? [];
  const at = Object.fromEntries(
    names.map((name, index) => [
      name,
      engine.number((row[index % row.length] ?? 1) * (1 + 0.37 * Math.floor(index / row.length))),
    ]),
  );
  const result = names.length === 0 ? expression.N() : expression.subs(at).N();
  return isNumber(result) && Number.isFinite(result.re) && Number.isFinite(result.im) ? result : null;
}

/** Whether 45 of 60 digits are equal: a rounded decimal does not equal the number before rounding. @param {Expression} one @param {Expression} two */
function near(one, two) {
  const difference = engine.box(['Subtract', one, two]).N();
  const size = Math.max(Math.hypot(one.re, one.im), Math.hypot(two.re, two.im), 1e-30);
  return Math.hypot(difference.re, difference.im) <= 1e-45 * size;
}

/** Whether a number is too large for `near`: 2^{200} and 2^{200}+1 have the same compared digits. @param {Expression} expression */
function isLarge(expression) {
  return Math.hypot(expression.re, expression.im) > 1e40;
}

/** @param {Expression} expression */
function isReal(expression) {
  return Math.abs(expression.im) <= 1e-45 * Math.abs(expression.re);
}

/** @param {Expression} expression */
function isZero(expression) {
  return Math.abs(expression.re) < 1e-30;
}

/** @param {Expression} expression */
function finite(expression) {
  return !/Infinity|NaN|Undefined|Error/.test(JSON.stringify(expression.json));
}

parentPort?.on('message', (/** @type {Question} */ question) => {
  parentPort?.postMessage({ equal: answer(question) });
});
// The first use of each part of the engine is slow, and must not count against the time limit of a question.
answer({ relation: 'equal', a: '\\sqrt{2}\\sin(x)+x^2', b: 'x^2+2^{1/2}\\sin x' });
answer({ relation: 'equal', a: '\\sqrt{12}', b: '2\\sqrt{3}' });
parentPort?.postMessage('ready');
