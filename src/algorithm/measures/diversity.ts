import { type Ratio, ratioOverQuestions } from './tests.ts';

/** How diverse the agents' first responses to one question are. Null where it could not be measured. */
export type QuestionDiversity = {
  readonly questionId: string;
  /** Nats a token. */
  readonly nllOfOthers: number | null;
  readonly betweenAgents: Divergence | null;
  readonly fromBase: Divergence | null;
  readonly dissimilarity: number | null;
  readonly distinctAnswers: number;
};

/** Means over questions, each with its standard error and the number of questions (`of`). Null where no question was measured. */
export type Diversity = {
  readonly nllOfOthers: Ratio | null;
  readonly betweenAgents: MeanDivergence;
  readonly fromBase: MeanDivergence;
  readonly dissimilarity: Ratio | null;
  readonly distinctAnswers: Ratio | null;
};
type MeanDivergence = { readonly perToken: Ratio | null; readonly perResponse: Ratio | null };

/** The diversity of an iteration's agents (section 4 of the paper), from that of each question: every question counts the same. */
export function diversityOver(questions: readonly QuestionDiversity[]): Diversity {
  const mean = (value: (question: QuestionDiversity) => number | null): Ratio | null => {
    const sums = ratioOverQuestions();
    for (const question of questions) {
      const measured = value(question);
      if (measured !== null) sums.add(measured, 1);
    }
    return sums.result();
  };
  const meanDivergence = (of: (question: QuestionDiversity) => Divergence | null): MeanDivergence => ({
    perToken: mean((question) => of(question)?.perToken ?? null),
    perResponse: mean((question) => of(question)?.perResponse ?? null),
  });
  return {
    nllOfOthers: mean(({ nllOfOthers }) => nllOfOthers),
    betweenAgents: meanDivergence(({ betweenAgents }) => betweenAgents),
    fromBase: meanDivergence(({ fromBase }) => fromBase),
    dissimilarity: mean(({ dissimilarity }) => dissimilarity),
    distinctAnswers: mean(({ distinctAnswers }) => distinctAnswers),
  };
}

/** How likely a model finds a response, given the messages before it. */
export type ResponseScore = {
  /** How many tokens the response has; 0 for an empty one. */
  readonly tokens: number;
  /** The natural logarithm of the response's probability: the sum over its tokens, in nats. */
  readonly logprob: number;
};

/** Of the logprobs of a response's tokens, each given all before it. */
export function responseScore(logprobs: readonly number[]): ResponseScore {
  return { tokens: logprobs.length, logprob: logprobs.reduce((sum, each) => sum + each, 0) };
}

/** By agent i, then by agent j: what i's model thinks of j's response to the same question. */
export type CrossScores = readonly (readonly ResponseScore[])[];

/**
 * How unlikely agents find each other's responses to a question (section 4 of the paper measures diversity so): the mean over
 * ordered pairs i != j of the negative log-likelihood of j's response under i's model, divided by the response's tokens. Nats a
 * token; greater is more diverse. Empty responses are left out; null when no pair remains (one agent, say).
 *
 * It is the models' likelihood at temperature 1, whatever the responses were sampled with. It also rises when
 * responses become odd for every model, so it is to be read beside accuracy.
 */
export function nllOfOthers(scores: CrossScores): number | null {
  const pairs = scores.flatMap((byResponse, scorer) =>
    byResponse.flatMap(({ tokens, logprob }, speaker) =>
      scorer === speaker || tokens === 0 ? [] : [-logprob / tokens],
    ),
  );
  return pairs.length === 0 ? null : pairs.reduce((sum, each) => sum + each, 0) / pairs.length;
}

/** An estimate of KL(p || q), in nats. */
export type Divergence = {
  /** Mean over responses of the log-ratio divided by the response's tokens. */
  readonly perToken: number;
  /** Mean over responses of the log-ratio of the whole response. */
  readonly perResponse: number;
};

/**
 * KL(p || q) estimated from responses sampled by p: the mean of log p(y) - log q(y). Empty responses are left out; null when
 * none remains.
 *
 * Why this estimator and not the one that is never negative (Schulman's k3, r - 1 - log r with r = q / p): this one is unbiased
 * for whole responses and adds up over tokens, whereas for whole responses k3 averages a ratio of products whose mean of 1 no
 * sample of a hundred shows, and a single unlikely token can outweigh all others. The price is variance: an estimate may be
 * below 0, which says no more than that it is within its error of 0. Its standard error over questions must be shown with it.
 *
 * Biases: responses sampled with top_p below 1 come from a truncated p' (what is estimated is then KL(p' || q) less KL(p' || p),
 * which at 0.9 is at most log(1 / 0.9), 0.105 nats, for each token, and equal models stay at exactly 0); a temperature other than 1 is another p;
 * `perToken` is the mean of the responses' means, so a token of a short response weighs more.
 */
export function divergence(
  samples: readonly { readonly p: ResponseScore; readonly q: ResponseScore }[],
): Divergence | null {
  const ratios = samples.flatMap(({ p, q }) =>
    p.tokens === 0 ? [] : [{ response: p.logprob - q.logprob, tokens: p.tokens }],
  );
  if (ratios.length === 0) return null;
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, each) => sum + each, 0) / values.length;
  return {
    perToken: mean(ratios.map(({ response, tokens }) => response / tokens)),
    perResponse: mean(ratios.map(({ response }) => response)),
  };
}

/** Between agents: over all ordered pairs i != j, from i's own response to the question. */
export function divergenceBetweenAgents(scores: CrossScores): Divergence | null {
  return divergence(
    scores.flatMap((byResponse, i) =>
      scores.flatMap((other, j) => {
        const [p, q] = [byResponse[i], other[i]];
        return i === j || p === undefined || q === undefined ? [] : [{ p, q }];
      }),
    ),
  );
}

/** Of the agents from the base model. `base` has, by agent, what the base model thinks of that agent's response. */
export function divergenceFromBase(scores: CrossScores, base: readonly ResponseScore[]): Divergence | null {
  return divergence(
    base.flatMap((q, i) => {
      const p = scores[i]?.[i];
      return p === undefined ? [] : [{ p, q }];
    }),
  );
}

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

/** Numbers in an embedding. Two n-grams of a response share a place seldom enough, and a vector is 8 kB. */
const dimensions = 1024;

/**
 * A text as a vector of unit length, without any model: how often each sequence of 1 to 3 characters occurs, hashed into 1,024 places with a sign
 * (feature hashing: Weinberger et al., 2009), so that unlike texts are unrelated on average; each count as its logarithm, because one
 * repeated line says little more than one line. Letters' case and runs of blanks do not matter. An empty text is the zero vector.
 *
 * It sees spelling and not meaning: a proof in other words is another text to it. Its figures do not compare with the paper's, whose encoder
 * was T5-3B; they compare with one another.
 */
export function ngramEmbedding(text: string): Float64Array {
  const counts = new Map<string, number>();
  const characters = Array.from(text.normalize('NFC').toLowerCase().trim().replace(/\s+/g, ' '));
  for (let size = 1; size <= 3; size++) {
    for (let start = 0; start + size <= characters.length; start++) {
      const gram = characters.slice(start, start + size).join('');
      counts.set(gram, (counts.get(gram) ?? 0) + 1);
    }
  }
  const vector = new Float64Array(dimensions);
  for (const [gram, count] of counts) {
    const hash = fnv1a(gram);
    const place = hash % dimensions;
    vector[place] = (vector[place] ?? 0) + (hash >>> 31 === 0 ? 1 : -1) * Math.log1p(count);
  }
  const length = Math.sqrt(vector.reduce((sum, each) => sum + each * each, 0));
  return length === 0 ? vector : vector.map((each) => each / length);
}

/** FNV-1a over UTF-16 code units, then mixed so that all bits depend on all (as MurmurHash3 ends). 0..2^32-1. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
