/** How different are the agents (section 4 of the paper)? By likelihoods, by embeddings and by answers. */
import { type Ratio, ratioOverQuestions } from './answers.ts';

/** The diversity of the agents' first responses to one question. A measure is null when it could not be measured. */
export type QuestionDiversity = {
  readonly questionId: string;
  /** Nats a token, of the other agents' responses and of the agent's own. */
  readonly nllOfOthers: number | null;
  readonly nllOfOwn: number | null;
  readonly betweenAgents: Divergence | null;
  readonly fromBase: Divergence | null;
  readonly dissimilarity: number | null;
  readonly distinctAnswers: number;
};

/** Means over questions, with their standard errors and the numbers of questions (`of`). A mean is null when no question was measured. */
export type Diversity = {
  readonly nllOfOthers: Ratio | null;
  readonly nllOfOwn: Ratio | null;
  readonly betweenAgents: MeanDivergence;
  readonly fromBase: MeanDivergence;
  readonly dissimilarity: Ratio | null;
  readonly distinctAnswers: Ratio | null;
};
type MeanDivergence = { readonly perToken: Ratio | null; readonly perResponse: Ratio | null };

/** The diversity of an iteration's agents, from the diversity of each question. Every question counts the same. */
export function diversityOver(questions: readonly QuestionDiversity[]): Diversity {
  const mean = (value: (question: QuestionDiversity) => number | null): Ratio | null => {
    const sums = ratioOverQuestions();
    for (const question of questions) {
      const measured = value(question);
      if (measured !== null) sums.add(question.questionId, measured, 1);
    }
    return sums.result();
  };
  const meanDivergence = (of: (question: QuestionDiversity) => Divergence | null): MeanDivergence => ({
    perToken: mean((question) => of(question)?.perToken ?? null),
    perResponse: mean((question) => of(question)?.perResponse ?? null),
  });
  return {
    nllOfOthers: mean((question) => question.nllOfOthers),
    nllOfOwn: mean((question) => question.nllOfOwn),
    betweenAgents: meanDivergence(({ betweenAgents }) => betweenAgents),
    fromBase: meanDivergence(({ fromBase }) => fromBase),
    dissimilarity: mean(({ dissimilarity }) => dissimilarity),
    distinctAnswers: mean(({ distinctAnswers }) => distinctAnswers),
  };
}

/** The likelihood of a response under a model, given the messages before it. */
export type ResponseScore = {
  /** The number of tokens of the response; 0 for an empty one. */
  readonly tokens: number;
  /** The natural logarithm of the response's probability: the sum over its tokens, in nats. */
  readonly logprob: number;
};

/** The score of a response, from the log-probability of each of its tokens given all tokens before. */
export function responseScore(logprobs: readonly number[]): ResponseScore {
  return { tokens: logprobs.length, logprob: logprobs.reduce((sum, each) => sum + each, 0) };
}

/** By agent i, then by agent j: the score of j's response under i's model, for the same question. */
export type CrossScores = readonly (readonly ResponseScore[])[];

/**
 * How unlikely each agent's responses are for the others (the diversity in section 4 of the paper): the mean over ordered pairs i != j of
 * the negative log-likelihood of j's response under i's model, divided by the number of the response's tokens for j's own model. In nats a token; greater is
 * more diverse. Empty responses are left out; null when no pair remains, e.g. with one agent.
 *
 * The likelihood is that at temperature 1, for any sampling of the responses. It also rises when responses become unlikely for every model,
 * so compare it together with accuracy and with `nllOfOwn`: what is above that is the difference between agents, the rest is how uncertain
 * each model is by itself.
 */
export function nllOfOthers(scores: CrossScores): number | null {
  return meanNll(scores, (scorer, speaker) => scorer !== speaker);
}

/**
 * How unlikely each agent's own responses are for itself: the same mean over agents of the negative log-likelihood of their own responses. It
 * estimates the entropy of the models, in nats a token.
 */
export function nllOfOwn(scores: CrossScores): number | null {
  return meanNll(scores, (scorer, speaker) => scorer === speaker);
}

function meanNll(scores: CrossScores, counts: (scorer: number, speaker: number) => boolean): number | null {
  const pairs = scores.flatMap((byResponse, scorer) =>
    byResponse.flatMap(({ logprob }, speaker) => {
      // Models of other families have other tokens. Dividing by the speaker's tokens makes the figures of all scorers comparable.
      const tokens = scores[speaker]?.[speaker]?.tokens ?? 0;
      return tokens > 0 && counts(scorer, speaker) ? [-logprob / tokens] : [];
    }),
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
 * KL(p || q), estimated from responses sampled by p as the mean of log p(y) - log q(y). Empty responses are left out; null when none
 * remains.
 *
 * Why not the estimator that is never negative (Schulman's k3, r - 1 - log r with r = q / p)? This one is unbiased for whole responses and
 * is a sum over tokens. For whole responses k3 averages a ratio of products: its expectation is 1, but a sample of a hundred does not show
 * that, and one unlikely token can outweigh all others. The disadvantage of this one is its variance: an estimate may be below 0, which
 * means that it is within its error of 0. Always show its standard error over questions with it.
 *
 * Biases: responses sampled with top_p below 1 come from a truncated p' (the estimate is then KL(p' || q) - KL(p' || p), where the second
 * term at 0.9 is at most log(1 / 0.9), 0.105 nats, for each token; equal models stay at exactly 0). A temperature other than 1 gives another
 * p. `perToken` is the mean of the responses' means, so a token of a short response has more weight.
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

/** The divergence between agents: over all ordered pairs i != j, from i's own response to the question. */
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

/** The divergence of the agents from the base model. `base` has, by agent, the score of the agent's response under the base model. */
export function divergenceFromBase(scores: CrossScores, base: readonly ResponseScore[]): Divergence | null {
  return divergence(
    base.flatMap((q, i) => {
      const p = scores[i]?.[i];
      return p === undefined ? [] : [{ p, q }];
    }),
  );
}

/**
 * How different the agents' responses to a question are (the paper's embedding dissimilarity, section 4): 1 minus the mean cosine over
 * pairs of agents. 0 for equal directions, 1 for unrelated ones, up to 2 for opposite ones. An all-zero vector (an empty response) is
 * unrelated to every other. Null for fewer than two responses.
 *
 * Values depend on the encoder: compare only values of the same encoder.
 */
export function embeddingDissimilarity(vectors: readonly ArrayLike<number>[]): number | null {
  const cosines = vectors.flatMap((a, index) => vectors.slice(index + 1).map((b) => cosine(a, b)));
  if (cosines.length === 0) return null;
  return 1 - cosines.reduce((sum, each) => sum + each, 0) / cosines.length;
}

/** The cosine of two vectors. @throws RangeError for vectors of different lengths, which come from different encoders */
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

/** The length of an embedding. Two n-grams of a response seldom share a place, and a vector is only 8 kB. */
const dimensions = 1024;

/**
 * A text as a vector of unit length, without a model: the number of times that each sequence of 1 to 3 characters occurs, hashed into 1,024
 * places with a sign (feature hashing: Weinberger et al., 2009), so that different texts are unrelated on average. Each count becomes its
 * logarithm, because a repeated line has little more information than one line. Case and runs of blanks do not matter. An empty text is the
 * zero vector.
 *
 * It compares spelling and not meaning: the same proof in other words is another text. Its values can be compared with each other, but not
 * with the paper's, whose encoder is T5-3B.
 */
export function ngramEmbedding(text: string): Float64Array {
  const slices = ngramEmbeddingInSlices(text);
  for (;;) {
    const { done, value } = slices.next();
    if (done) return value;
  }
}

/** N-grams that are counted between two pauses: some ten milliseconds. */
const slice = 20_000;

/** `ngramEmbedding` in slices, between which a caller may do other work: a text of a megabyte takes a second or more. */
export function* ngramEmbeddingInSlices(text: string): Generator<undefined, Float64Array> {
  const counts = new Map<string, number>();
  const characters = Array.from(text.normalize('NFC').toLowerCase().trim().replace(/\s+/g, ' '));
  for (let size = 1; size <= 3; size++) {
    for (let start = 0; start + size <= characters.length; start++) {
      if (start % slice === slice - 1) yield;
      let gram = '';
      for (let at = start; at < start + size; at++) gram += characters[at] ?? '';
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

/** FNV-1a over UTF-16 code units, then the final mix of MurmurHash3, so that every bit depends on all bits. 0..2^32-1. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
