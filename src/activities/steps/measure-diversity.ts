import { setImmediate } from 'node:timers/promises';
import pLimit from 'p-limit';
import { type Agent, generation, modelOf } from '../../algorithm/agents.ts';
import { answerClasses } from '../../algorithm/answer.ts';
import {
  divergenceBetweenAgents,
  divergenceFromBase,
  diversityOver,
  embeddingDissimilarity,
  ngramEmbeddingInSlices,
  nllOfOthers,
  nllOfOwn,
  type QuestionDiversity,
} from '../../algorithm/measures/diversity.ts';
import { agentOf } from '../../config/agents.ts';
import { templateVariables } from '../../config/server-contract.ts';
import type { Endpoint } from '../../engines/endpoint/endpoint.ts';
import type { Endpoints } from '../../engines/endpoint/open.ts';
import { RequestEndsServer } from '../../engines/endpoint/outages.ts';
import {
  EngineAnswerInvalid,
  EngineFailed,
  EngineRefused,
  PromptLogprobsUnsupported,
} from '../../engines/errors.ts';
import { type Claim, claim, endClaims, openStepJournal } from '../../store/files/take-over.ts';
import { findDocument, writeDocumentOnce } from '../../store/files/documents.ts';
import { type Model, requireModels } from '../../store/models.ts';
import { type DiversityDocument, diversitySchema } from '../../store/records/rows.ts';
import { type ExperimentFiles, experimentFiles } from '../../store/store.ts';
import { configInForce } from '../../store/records/config-changes.ts';
import type { Dependencies, Running } from '../activity.ts';
import {
  type FirstResponses,
  firstResponses,
  journalledScores,
  type QuestionScores,
} from '../asking/journalled-scores.ts';
import { allOrFirstFailure } from '../asking/conversation.ts';
import { inReportedSlot, noWait, showFineTune, showWaits } from '../asking/journalled-answers.ts';

export type DiversityRequest = {
  readonly experiment: string;
  readonly iteration: number;
  /** How many shards of held-out debates there are. */
  readonly shards: number;
  /** Those that held these debates. */
  readonly agents: readonly Agent<Model>[];
};

/**
 * Measures how diverse the agents' first answers to a sample of the held-out questions are (section 4 of the paper), after they
 * were debated. Scores are journalled as they come, and what was measured is never measured again. An endpoint that cannot tell
 * likelihoods, or a response that fills the model's whole context, costs these measures and not the experiment: `leftOut` says so.
 */
export async function measureDiversity(
  request: DiversityRequest,
  dependencies: Dependencies,
  running: Running,
): Promise<Omit<DiversityDocument, 'rows'> | null> {
  const files = experimentFiles(dependencies.store, request.experiment);
  const document = files.diversity(request.iteration);
  const found = await findDocument(document, diversitySchema);
  if (found !== null) {
    await endClaims(document);
    return withoutRows(found);
  }
  // It was measured when the experiment began, and is not any more.
  if ((await configInForce(files, request.iteration)).diversity.questions === 0) return null;
  const mine = await claim(document);
  const measured = await measure(request, files, mine, dependencies, running);
  await mine.require();
  const finished = await writeDocumentOnce(document, measured, diversitySchema);
  await mine.finish();
  return withoutRows(finished);
}

/** Rows stay on disk: a workflow's history has room for figures only. */
function withoutRows(document: DiversityDocument): Omit<DiversityDocument, 'rows'> {
  const { rows: _, ...figures } = document;
  return figures;
}

async function measure(
  { experiment, iteration, shards, agents }: DiversityRequest,
  files: ExperimentFiles,
  mine: Claim,
  { store, endpoints, gate, tasks }: Dependencies,
  { signal, show, attempt }: Running,
): Promise<DiversityDocument> {
  const config = await configInForce(files, iteration);
  const { diversity } = config;
  const questions = await firstResponses(diversity.questions, { iteration, shards }, config, files);
  const encoder = responseEncoder(diversity.encoder, endpoints);
  // After the claim: an earlier attempt journals no more than the requests that it has in flight.
  const journal = await openStepJournal(files.diversityJournal(iteration), mine.epoch);
  const scoresOf = journalledScores(agents, journal, endpoints, mine, showWaits(show), (agent) =>
    templateVariables(agentOf(config, agent).sampling),
  );
  let leftOut: string | null = null;
  let done = 0;

  const likelihoods = async (question: FirstResponses, stop: AbortSignal): Promise<Likelihoods> => {
    try {
      return likelihoodsOf(await scoresOf(question, stop));
    } catch (error) {
      if (!isLeftOut(error, attempt)) throw error;
      leftOut ??= error.message;
      return noLikelihoods;
    }
  };
  const measureQuestion = async (question: FirstResponses, stop: AbortSignal): Promise<QuestionDiversity> => {
    const { questionId, responses } = question;
    const classes = await answerClasses(
      responses.map(({ answer }) => answer),
      tasks.open(config.task).answers.equal,
    );
    const texts = responses.map(({ text }) => text);
    const measured = {
      questionId,
      ...(await likelihoods(question, stop)),
      dissimilarity: embeddingDissimilarity(await encoder.encode(texts, stop)),
      distinctAnswers: classes.length,
    };
    done += 1;
    show({ questions: done, total: questions.length, ...noWait });
    return measured;
  };

  try {
    show({ questions: 0, total: questions.length });
    const models = agents.map((agent) => modelOf(agent, generation.name));
    const asked = [...models.map(({ base }) => endpoints.for(base)), ...encoder.asks];
    const measureAll = async (): Promise<DiversityDocument> => {
      await requireModels(store, models);
      endpoints.expect(experiment, config);
      await endpoints.serve(models, signal, showWaits(show));
      const rows = await allOrFirstFailure(questions, signal, measureQuestion);
      return { iteration, encoder: encoder.name, leftOut, ...diversityOver(rows), rows };
    };
    return await gate.shared(signal, measureAll, { asked, onWait: showFineTune(show) });
  } finally {
    await journal.close();
  }
}

/** A server that fails at scores alone has failed at them often enough by then. */
const lastAttempt = 4;

/**
 * Whether the likelihoods are left out because of an error: training does not need them, so a server that cannot give them, that refuses
 * them, that fails at them again and again or that dies of them does not hold up the experiment.
 */
function isLeftOut(error: unknown, attempt: number): error is Error {
  if (error instanceof PromptLogprobsUnsupported || error instanceof RequestEndsServer) return true;
  if (error instanceof EngineRefused) return error.status !== 401 && error.status !== 403;
  const fails = error instanceof EngineFailed || error instanceof EngineAnswerInvalid;
  return fails && attempt >= lastAttempt;
}

type Likelihoods = Pick<QuestionDiversity, 'nllOfOthers' | 'nllOfOwn' | 'betweenAgents' | 'fromBase'>;

const noLikelihoods: Likelihoods = {
  nllOfOthers: null,
  nllOfOwn: null,
  betweenAgents: null,
  fromBase: null,
};

function likelihoodsOf({ scores, base }: QuestionScores): Likelihoods {
  return {
    nllOfOthers: nllOfOthers(scores),
    nllOfOwn: nllOfOwn(scores),
    betweenAgents: divergenceBetweenAgents(scores),
    fromBase: divergenceFromBase(scores, base),
  };
}

/** The embeddings of texts, with pauses: meanwhile heartbeats are sent, and other steps go on. @throws the signal's reason */
async function ngramEmbeddings(texts: readonly string[], signal: AbortSignal): Promise<Float64Array[]> {
  const vectors: Float64Array[] = [];
  for (const text of texts) {
    const slices = ngramEmbeddingInSlices(text);
    for (let next = slices.next(); ; next = slices.next()) {
      await setImmediate();
      signal.throwIfAborted();
      if (!next.done) continue;
      vectors.push(next.value);
      break;
    }
  }
  return vectors;
}

/** What makes responses into vectors: our own n-grams, or a sentence encoder at an endpoint. */
export type EncoderName = 'ngrams' | { readonly endpoint: string; readonly model: string };

export type ResponseEncoder = {
  /** The text that people see. */
  readonly name: string;
  /** The endpoint that it asks, if it asks one. */
  readonly asks: readonly Endpoint[];
  readonly encode: (texts: readonly string[], signal: AbortSignal) => Promise<readonly ArrayLike<number>[]>;
};

/** A blank response is a vector of zeros, whatever the encoder: servers refuse to embed one. */
export function responseEncoder(encoder: EncoderName, endpoints: Endpoints): ResponseEncoder {
  if (encoder === 'ngrams') {
    // All questions are measured at once: the slices of all of them together would be one long block.
    const oneAtATime = pLimit(1);
    return {
      name: encoder,
      asks: [],
      encode: (texts, signal) => oneAtATime(() => ngramEmbeddings(texts, signal)),
    };
  }
  const endpoint = endpoints.for({ endpoint: encoder.endpoint, name: encoder.model });
  return {
    name: encoder.model,
    asks: [endpoint],
    encode: async (texts, signal) => {
      const spoken = texts.filter((text) => text.trim() !== '');
      if (spoken.length === 0) return texts.map(() => [0]);
      const vectors = await inReportedSlot(endpoint, encoder.endpoint, signal, () =>
        endpoint.embed(spoken, signal),
      );
      const zeros = vectors[0]?.map(() => 0) ?? [];
      return texts.map((text) => vectors[spoken.indexOf(text)] ?? zeros);
    },
  };
}
