/**
 * How unlike the agents' responses to a question are (the paper's embedding dissimilarity, section 4): 1 less the mean cosine
 * over pairs of agents. 0 for equal directions, 1 for unrelated ones; up to 2 where an encoder gives opposite ones. An all-zero
 * vector (an empty response) is unrelated to everything. Null for fewer than two responses.
 *
 * Values depend on the encoder: only those of the same encoder compare.
 */
export function embeddingDissimilarity(vectors: readonly ArrayLike<number>[]): number | null {
  const cosines = vectors.flatMap((a, index) => vectors.slice(index + 1).map((b) => cosine(a, b)));
  if (cosines.length === 0) return null;
  return 1 - cosines.reduce((sum, each) => sum + each, 0) / cosines.length;
}

/** Vectors of different lengths come from different encoders: a RangeError. */
function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length)
    throw new RangeError(`Embeddings of ${a.length} and of ${b.length} numbers cannot be compared.`);
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] ?? 0, b[i] ?? 0];
    dot += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa === 0 || bb === 0 ? 0 : dot / Math.sqrt(aa * bb);
}
