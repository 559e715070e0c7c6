import type { AnswerEquality } from '../algorithm/consensus.ts';
import {
  type Evaluation,
  evaluate as figures,
  type Mark,
  markOf,
  type Outcome,
  outcomeOf,
} from '../algorithm/evaluation.ts';
import { debateRowSchema } from '../store/debate-row.ts';
import { findDocument, writeDocument } from '../store/documents.ts';
import { evaluationRecordSchema } from '../store/iteration-record.ts';
import { type ExperimentFiles, experimentFiles, type Measured } from '../store/experiment-files.ts';
import { ArtifactMissing } from '../store/artifact-missing.ts';
import { outcomeSchema } from '../store/outcome-row.ts';
import { heldOutQuestionSchema } from '../store/question-rows.ts';
import { readPage } from '../store/row-pages.ts';
import { findRows, readRows, streamRows, writeRows } from '../store/rows.ts';
import { configOf } from './config-of.ts';
import type { Dependencies } from './dependencies.ts';
import type { TokenCount } from './shard-summary.ts';

type EvaluationRequest = {
  readonly experiment: string;
  readonly iteration: number;
  readonly split: Measured;
  /** Of the split `vote`: how many answers to a question. */
  readonly votes?: number;
  /** Of those debates. */
  readonly tokens: TokenCount;
  readonly seconds: number;
};

/**
 * Compares answers to held-out questions with the gold ones. With `buildDatasets` and `debate` under `label_source: gold`, all that sees gold
 * answers.
 */
export async function evaluate(
  { experiment, iteration, split, votes, tokens, seconds }: EvaluationRequest,
  { store, grader }: Dependencies,
): Promise<Evaluation> {
  const files = experimentFiles(store, experiment);
  const { shard_size: shardSize } = await configOf(files);
  const equal = (a: string, b: string) => grader.equal(a, b);
  const marks = async (each: number): Promise<Mark[]> => {
    const path = files.outcomes(each, split);
    if ((await findRows(path)) === null)
      await writeRows(path, judged({ iteration: each, split, shardSize }, files, equal));
    const made: Mark[] = [];
    for await (const outcome of streamRows(path, outcomeSchema)) made.push(markOf(outcome));
    return made;
  };
  const own = await marks(iteration);
  // The number of votes is another in every iteration, so that there is no base to compare them with.
  const evaluation = figures(iteration, own, iteration === 0 || split === 'vote' ? own : await marks(0));
  const before = await findDocument(files.evaluation(iteration, split), evaluationRecordSchema);
  // The first seconds stay: finding the debates done takes none.
  await writeDocument(files.evaluation(iteration, split), {
    evaluation,
    ...(votes === undefined ? {} : { votes }),
    tokens,
    seconds: before?.seconds ?? seconds,
  });
  return evaluation;
}

/** The outcomes of an iteration in the order of the held-out questions, a shard in memory at a time. */
async function* judged(
  debates: { readonly iteration: number; readonly split: Measured; readonly shardSize: number },
  files: ExperimentFiles,
  equal: AnswerEquality,
): AsyncGenerator<Outcome> {
  const questions = files.questions(debates.split);
  for (let shard = 0; ; shard++) {
    const page = await readPage(questions, heldOutQuestionSchema, shard, debates.shardSize);
    if (page.length === 0) return;
    const gold = new Map(page.map(({ id, answer }) => [id, answer]));
    for (const debate of await readRows(
      files.shard(debates.iteration, debates.split, shard),
      debateRowSchema,
    )) {
      const answer = gold.get(debate.question.id);
      if (answer === undefined) throw new ArtifactMissing(`${questions} (${debate.question.id})`);
      yield await outcomeOf(debate, answer, equal);
    }
  }
}
