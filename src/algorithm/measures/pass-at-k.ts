/**
 * pass@k (Chen et al., Evaluating Large Language Models Trained on Code, 2021, section 2.1): the probability that at least one of
 * k answers is right, estimated without bias from `answers` answers to a question of which `right` are right:
 * 1 - C(n - c, k) / C(n, k), as a product, which cannot overflow. A k below 1 or above the number of answers is a RangeError.
 */
export function passAtK(answers: number, right: number, k: number): number {
  if (k < 1 || k > answers) throw new RangeError(`pass@${k} cannot be told from ${answers} answers.`);
  let allWrong = 1;
  for (let drawn = 0; drawn < k; drawn++)
    allWrong *= Math.max(0, answers - right - drawn) / (answers - drawn);
  return 1 - allWrong;
}
