import { setImmediate as otherWork } from 'node:timers/promises';
import type { AnswerRules } from '../algorithm/answer.ts';
import { type JudgedLabel, judgeLabel } from '../algorithm/measures/labels.ts';
import type { ExperimentConfig } from '../config/experiment.ts';
import { ArtifactDamaged, ArtifactMissing } from '../store/errors.ts';
import { findDocument, writeDocument } from '../store/files/documents.ts';
import { readPage, streamRows } from '../store/files/rows.ts';
import { debateRowSchema, goldLabelSchema, labelsSchema } from '../store/records/rows.ts';
import type { ExperimentFiles } from '../store/store.ts';

/**
 * Judges the labels of an iteration's training debates by the gold answers, when the iteration has been trained: iteration-I/labels.json,
 * which only reports read. Nothing where labels are the gold answers. It is no reason to hold a debate again: when training debates are
 * damaged or gone by now, nothing is written.
 */
export async function measureLabels(
  files: ExperimentFiles,
  iteration: number,
  config: ExperimentConfig,
  rules: Pick<AnswerRules, 'correct'>,
): Promise<void> {
  if (iteration === 0 || config.label_source !== 'consensus') return;
  const place = files.labels(iteration);
  if ((await findDocument(place, labelsSchema)) !== null) return;
  try {
    const rows = await judgedLabels(files, iteration, config.shard_size, rules);
    await writeDocument(place, { iteration, minVotes: config.min_votes, rows });
  } catch (error) {
    if (!(error instanceof ArtifactDamaged || error instanceof ArtifactMissing)) throw error;
  }
}

/** A debate in memory at a time. Yields to other work of this process between questions, so that heartbeats go out. */
async function judgedLabels(
  files: ExperimentFiles,
  iteration: number,
  shardSize: number,
  rules: Pick<AnswerRules, 'correct'>,
): Promise<JudgedLabel[]> {
  const judged: JudgedLabel[] = [];
  for (let shard = 0; ; shard++) {
    const page = await readPage(files.goldLabels, goldLabelSchema, shard, shardSize);
    if (page.length === 0) return judged;
    const gold = new Map(page.map((label) => [label.questionId, label]));
    for await (const debate of streamRows(files.shard(iteration, 'train', shard), debateRowSchema)) {
      const label = gold.get(debate.question.id);
      // A task may know no answer to some of its training questions.
      if (label === undefined || label.answer.trim() === '') continue;
      const found = await judgeLabel(debate, label, rules);
      if (found !== null) judged.push(found);
      await otherWork();
    }
  }
}
