/** What is in the rows and documents that an experiment writes while it runs? */
import { z } from 'zod';
import { chatTemplateKwargsSchema } from '../../config/server-contract.ts';
import type { Debate } from '../../algorithm/debate.ts';
import { type Place, placeIn } from '../blobs.ts';
import { intactRows } from '../files/rows.ts';
import { sealPlace } from '../files/sealed.ts';
import {
  earlyStopSchema,
  evaluationSchema,
  guardFiguresSchema,
  iterationSchema,
  tokensSchema,
} from './iteration.ts';

/** Rows of questions/train.jsonl. Strict: a row with an answer is an error. */
export const questionSchema = z.strictObject({ id: z.string(), text: z.string() });

/** Rows of questions/heldout.jsonl. */
export const heldOutQuestionSchema = questionSchema.extend({
  answer: z.string(),
  accepted: z.array(z.string()).optional(),
});

/** Rows of questions/train-gold.jsonl. */
export const goldLabelSchema = z.strictObject({
  questionId: z.string(),
  answer: z.string(),
  accepted: z.array(z.string()).optional(),
});

/** See Message in src/algorithm/agents.ts. */
export const messageSchema = z.strictObject({ role: z.enum(['user', 'assistant']), content: z.string() });
const consensusSchema = z.strictObject({
  answer: z.string().nullable(),
  votes: z.number().int(),
  tied: z.number().int(),
});

const debateTokensSchema = z.strictObject({
  prompt: z.number().int(),
  completion: z.number().int(),
  /** Prompt and completion tokens of round 1: the cost of the same answers without a debate. */
  firstRound: z.number().int(),
});

/** See FinishReasons in src/algorithm/measures/cost.ts. Older versions did not write them. */
const finishReasonsSchema = z
  .strictObject({ responses: z.array(z.array(z.string())), summaries: z.array(z.array(z.string())) })
  .default({ responses: [], summaries: [] });

/** A row of a shard: a finished debate and its tokens. See Debate in src/algorithm/debate.ts. */
export const debateRowSchema = z.strictObject({
  question: questionSchema,
  dialogues: z.array(z.array(messageSchema)),
  answers: z.array(z.array(z.string().nullable())),
  majority: consensusSchema,
  consensus: consensusSchema,
  agrees: z.array(z.array(z.boolean())),
  finishReasons: finishReasonsSchema,
  tokens: debateTokensSchema,
  truncated: z.number().int(),
});
export type DebateRow = Debate & {
  readonly tokens: Readonly<z.infer<typeof debateTokensSchema>>;
  /** Prompts that lost some turns so that they fit into the model's context. */
  readonly truncated: number;
};

/**
 * The debates of all finished shards of a folder, shard by shard; none when the folder does not exist.
 *
 * @param folder see `debates` of ExperimentFiles
 * @throws ArtifactDamaged
 */
export async function* readDebates(folder: Place): AsyncGenerator<DebateRow> {
  const places = (await folder.blobs.list(`${folder.name}/shard-`)).map((name) =>
    placeIn(folder.blobs, name),
  );
  const shards = places.flatMap((place) => {
    const number = /\/shard-(\d+)\.jsonl$/.exec(place.name)?.[1];
    return number === undefined ? [] : [{ place, number: Number(number) }];
  });
  const sealed = new Set(places.map(({ name }) => name));
  for (const { place } of shards.toSorted((a, b) => a.number - b.number)) {
    // A shard without a seal is not finished.
    if (sealed.has(sealPlace(place).name)) yield* intactRows(place, debateRowSchema);
  }
}

const judgedSchema = z.strictObject({ answer: z.string().nullable(), correct: z.boolean() });

/** The outcome of a held-out question. See Outcome in src/algorithm/evaluation.ts. */
export const outcomeSchema = z.strictObject({
  questionId: z.string(),
  question: z.string(),
  gold: z.string(),
  accepted: z.array(z.string()).optional(),
  single: z.array(judgedSchema),
  majority: judgedSchema,
  debate: judgedSchema,
  right: z.array(z.array(z.boolean())),
  classes: z.array(z.array(z.number().int().nullable())),
  finishReasons: finishReasonsSchema,
});

/** A row of evaluation.jsonl, which has the outcomes of all iterations; iteration 0 is the base model. */
export const evaluationRowSchema = outcomeSchema.extend({ iteration: z.number().int() });

const promptShape = {
  prompt: z.array(messageSchema),
  weight: z.number().positive().optional(),
  chat_template_kwargs: chatTemplateKwargsSchema.optional(),
};

/** A row of iteration-I/datasets/. See AnyExample in src/algorithm/dataset.ts. */
export const exampleSchema = z.union([
  z.strictObject({ ...promptShape, completion: z.tuple([messageSchema]), label: z.boolean().optional() }),
  z.strictObject({ ...promptShape, chosen: z.tuple([messageSchema]), rejected: z.tuple([messageSchema]) }),
]);

const divergenceSchema = z.strictObject({ perToken: z.number(), perResponse: z.number() });
const ratioSchema = z
  .strictObject({
    value: z.number(),
    standardError: z.number(),
    of: z.number(),
    /** Absent in documents of earlier versions. */
    questions: z.number().int().optional(),
  })
  .nullable();
const meanDivergenceSchema = z.strictObject({ perToken: ratioSchema, perResponse: ratioSchema });

/** One question. See QuestionDiversity in src/algorithm/measures/diversity.ts. */
const diversityRowSchema = z.strictObject({
  questionId: z.string(),
  nllOfOthers: z.number().nullable(),
  /** Not measured by earlier versions. */
  nllOfOwn: z.number().nullable().default(null),
  betweenAgents: divergenceSchema.nullable(),
  fromBase: divergenceSchema.nullable(),
  dissimilarity: z.number().nullable(),
  distinctAnswers: z.number().int(),
});

/** iteration-I/diversity.json: the diversity of the agents' first answers to a sample of the held-out questions. */
export const diversitySchema = z.strictObject({
  iteration: z.number().int(),
  /** The encoder of texts: `ngrams`, or a model's name. Only dissimilarities with the same encoder can be compared. */
  encoder: z.string(),
  /** Why the likelihoods of some or all questions are missing; null when none is missing. */
  leftOut: z.string().nullable(),
  nllOfOthers: ratioSchema,
  nllOfOwn: ratioSchema.default(null),
  betweenAgents: meanDivergenceSchema,
  fromBase: meanDivergenceSchema,
  dissimilarity: ratioSchema,
  distinctAnswers: ratioSchema,
  /** In the order of the held-out questions. */
  rows: z.array(diversityRowSchema),
});
export type DiversityDocument = z.infer<typeof diversitySchema>;

const countedSchema = z.strictObject({ right: z.number().int(), of: z.number().int() });

/** iteration-I/labels.json: the labels that an iteration was trained with, judged by the gold answers. See JudgedLabel in src/algorithm/measures/labels.ts. */
export const labelsSchema = z.strictObject({
  iteration: z.number().int(),
  /** How many votes a label could have. Absent in documents of earlier versions, in which it is the number of agents. */
  ofVotes: z.number().int().exactOptional(),
  /** `min_votes`: labels with fewer votes were not learnt from. */
  minVotes: z.number().int(),
  /** `max_votes`: nor were labels with more votes. */
  maxVotes: z.number().int().optional(),
  /** In the order of the training questions; without those that had no consensus. */
  rows: z.array(
    z.strictObject({
      questionId: z.string(),
      votes: z.number().int(),
      tied: z.number().int(),
      right: z.boolean(),
      chosen: countedSchema,
      rejected: countedSchema,
      /** What models learnt from the question, by role; earlier versions did not judge it. */
      learnt: z
        .array(z.strictObject({ role: z.string(), chosen: countedSchema, rejected: countedSchema }))
        .exactOptional(),
    }),
  ),
});
export type LabelsDocument = z.infer<typeof labelsSchema>;

/** How many votes a label could have. */
export function ofVotes({ ofVotes: written, rows: [first] }: LabelsDocument): number {
  return written ?? (first === undefined ? 0 : first.chosen.of + first.rejected.of);
}

/** questions/left-out.json: the questions of a task that are not used, and why. */
export const leftOutDocumentSchema = z.object({
  formatVersion: z.literal(1),
  leftOut: z.array(z.object({ what: z.string(), count: z.int(), examples: z.array(z.string()) })),
});
export type LeftOutDocument = z.infer<typeof leftOutDocumentSchema>;

/** iteration-I/evaluation.json, evaluation-vote.json and evaluation-transfer-NAME.json. */
export const evaluationRecordSchema = z.strictObject({
  evaluation: evaluationSchema,
  /** For a majority at equal tokens: the number of answers. */
  votes: z.number().int().optional(),
  /** How many answers, in all rounds, could not be read. Records of older versions do not have it. */
  unreadable: z.strictObject({ answers: z.number().int(), of: z.number().int() }).optional(),
  /** Of validation questions. */
  figures: guardFiguresSchema.exactOptional(),
  tokens: tokensSchema,
  seconds: z.number(),
  earlyStop: earlyStopSchema.optional(),
});

/** iteration-I/record.json: the work of an iteration before its evaluation. */
export const iterationRecordSchema = iterationSchema.extend({
  tokens: z.strictObject({ debate: tokensSchema, fineTune: z.number().int() }),
  seconds: z.strictObject({ debate: z.number(), datasets: z.number(), fineTune: z.number() }),
  earlyStop: earlyStopSchema.optional(),
});
export type IterationRecord = z.infer<typeof iterationRecordSchema>;
