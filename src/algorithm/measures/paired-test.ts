/** Two methods on the same questions: where only the first was right, where only the second was, and how likely by chance. */
export type PairedTest = { readonly wins: number; readonly losses: number; readonly pValue: number };

/**
 * McNemar's exact test, two-sided: on the questions where exactly one of the two is right, either is as likely under the null
 * hypothesis, so that wins are binomial with p = 1/2. Both lists are about the same questions in the same order; lists of
 * different lengths are a RangeError.
 */
export function pairedTest(method: readonly boolean[], baseline: readonly boolean[]): PairedTest {
  if (method.length !== baseline.length) {
    throw new RangeError(
      `A paired test compares two methods on the same questions, but one list has ${method.length} and the other ${baseline.length}.`,
    );
  }
  const wins = method.filter((right, index) => right && !baseline[index]).length;
  const losses = method.filter((right, index) => !right && baseline[index] === true).length;
  return { wins, losses, pValue: Math.min(1, 2 * binomialTail(Math.min(wins, losses), wins + losses)) };
}

/** P(X <= k) for X binomial with n trials of 1/2. In logarithms, because C(n, k) overflows from n = 1030 on. */
function binomialTail(k: number, n: number): number {
  let logTerm = -n * Math.LN2;
  let tail = Math.exp(logTerm);
  for (let i = 1; i <= k; i++) {
    logTerm += Math.log((n - i + 1) / i);
    tail += Math.exp(logTerm);
  }
  return tail;
}
