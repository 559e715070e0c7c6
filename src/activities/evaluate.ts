import { type Evaluation, evaluate as figures, type Outcome, outcomeOf } from '../algorithm/evaluation.ts';
import { debateRowSchema } from '../store/debate-row.ts';
import { findDocument, writeDocument } from '../store/documents.ts';
import { evaluationRecordSchema } from '../store/iteration-record.ts';
import { type ExperimentFiles, experimentFiles } from '../store/experiment-files.ts';
import { ArtifactMissing } from '../store/artifact-missing.ts';
import { outcomeSchema } from '../store/outcome-row.ts';
import { heldOutQuestionSchema } from '../store/question-rows.ts';
import { findRows, readRows, writeRows } from '../store/rows.ts';
import type { Dependencies } from './dependencies.ts';
import type { TokenCount } from './shard-summary.ts';

type EvaluationRequest = {
  readonly experiment: string;
  readonly iteration: number;
  /** How many shards of held-out debates there are. */
  readonly shards: number;
  /** Of those debates. */
  readonly tokens: TokenCount;
  readonly seconds: number;
};

/** Compares the held-out debates' answers with the gold ones. With `buildDatasets` under `label_source: gold`, all that sees gold. */
export async function evaluate(
  { experiment, iteration, shards, tokens, seconds }: EvaluationRequest,
  { store, grader }: Dependencies,
): Promise<Evaluation> {
  const files = experimentFiles(store, experiment);
  const judge = (each: number) => outcomesOf(each, shards, files, (a, b) => grader.equal(a, b));
  const outcomes = await judge(iteration);
  const evaluation = figures(iteration, outcomes, iteration === 0 ? outcomes : await judge(0));
  const before = await findDocument(files.evaluation(iteration), evaluationRecordSchema);
  // The first seconds stay: finding the debates done takes none.
  await writeDocument(files.evaluation(iteration), {
    evaluation,
    tokens,
    seconds: before?.seconds ?? seconds,
  });
  return evaluation;
}

/** The outcomes of an iteration, in the order of the held-out questions: from the store, or judged now. */
async function outcomesOf(
  iteration: number,
  shards: number,
  files: ExperimentFiles,
  equal: Parameters<typeof outcomeOf>[2],
): Promise<Outcome[]> {
  const path = files.outcomes(iteration);
  if ((await findRows(path)) === null) {
    const gold = new Map(
      (await readRows(files.questions('heldout'), heldOutQuestionSchema)).map(({ id, answer }) => [
        id,
        answer,
      ]),
    );
    const outcomes: Outcome[] = [];
    for (let shard = 0; shard < shards; shard++) {
      for (const debate of await readRows(files.shard(iteration, 'heldout', shard), debateRowSchema)) {
        const answer = gold.get(debate.question.id);
        if (answer === undefined)
          throw new ArtifactMissing(`${files.questions('heldout')} (${debate.question.id})`);
        outcomes.push(await outcomeOf(debate, answer, equal));
      }
    }
    await writeRows(path, outcomes);
  }
  return readRows(path, outcomeSchema);
}
