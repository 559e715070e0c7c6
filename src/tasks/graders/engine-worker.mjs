// The compute engine in a thread of its own, so that it can be ended: its own time limit stops neither its parser nor big powers.
// Plain JavaScript, because a worker thread starts without tsx, and Node 20 cannot read TypeScript by itself.
import { parentPort } from 'node:worker_threads';
import { ComputeEngine, isNumber } from '@cortex-js/compute-engine';

const engine = new ComputeEngine();
engine.precision = 40;

/** @typedef {{ relation: 'equal' | 'proportional' | 'positively proportional', a: string, b: string }} Question */

/**
 * Values for the variables: no simple ratios, both signs, so that |x| is not x and \sqrt{x^2} is not x.
 * Fixed, so that a pair gets the same verdict every time.
 */
const POINTS = [
  [
    0.7390851332151607, 1.3247179572447461, 0.5671432904097838, 1.7632228343518967, 0.9159655941772191,
    1.2020569031595942,
  ],
  [
    1.9021605831040216, 0.643410546288338, 2.5066282746310002, 0.4769362762044699, 1.6449340668482264,
    2.2360679774997898,
  ],
  [
    -0.8346268416740731, -1.4513692348833811, 0.3105901635290331, -0.2614972128476428, 1.1865691104156254,
    -2.0287578381104342,
  ],
  [
    -1.7724538509055161, 0.5926327182016361, -0.6627434193491816, 2.1419127131402161, -0.4142135623730951,
    0.2801694990238691,
  ],
  [
    3.3598856662431777, -2.6220575542921198, 1.0986122886681098, -0.1149420448532962, -3.2758229187218113,
    0.7642236535892206,
  ],
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
    // Too large or not understood: no proof of equality. The engine says so by errors of many kinds.
    return false;
  } finally {
    engine.popScope();
  }
}

/** The engine reads a(b+c) as a function call and [..] as a list; D and N are operators of its own. */
function readable(/** @type {string} */ latex) {
  return latex
    .replaceAll('[', '(')
    .replaceAll(']', ')')
    .replace(/\\sqrt\(([^()]*)\)\{/g, '\\sqrt[$1]{')
    .replace(/(?<![a-zA-Z\\])([DN])(?![a-zA-Z_])/g, '$1_{0}')
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
    return near(one, two);
  }
  // x^{2/3} and \sqrt[3]{x^2} count as equal although the first is complex for negative x; \ln|x| and \ln x do not.
  const strict = /"(?:Ln|Log|Abs)"/.test(JSON.stringify([left.json, right.json]));
  let compared = 0;
  for (let point = 0; point < POINTS.length; point++) {
    const [one, two] = [value(left, names, point), value(right, names, point)];
    if (one === null || two === null) continue;
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
  return [...new Set([...left.unknowns, ...right.unknowns])].sort();
}

/** The number that an expression is at a point; null when it is none, as with f(x), or not finite. @param {Expression} expression @param {string[]} names @param {number} point */
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

/** Equal to 25 digits: a rounded decimal is not the number it was rounded from. @param {Expression} one @param {Expression} two */
function near(one, two) {
  const difference = engine.box(['Subtract', one, two]).N();
  const size = Math.max(Math.hypot(one.re, one.im), Math.hypot(two.re, two.im), 1e-30);
  return Math.hypot(difference.re, difference.im) <= 1e-25 * size;
}

/** @param {Expression} expression */
function isReal(expression) {
  return Math.abs(expression.im) <= 1e-25 * Math.abs(expression.re);
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
// The first use of each part of the engine is slow, and must not count as thinking.
answer({ relation: 'equal', a: '\\sqrt{2}\\sin(x)+x^2', b: 'x^2+2^{1/2}\\sin x' });
answer({ relation: 'equal', a: '\\sqrt{12}', b: '2\\sqrt{3}' });
parentPort?.postMessage('ready');
