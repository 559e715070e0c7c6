import { setImmediate as otherWork } from 'node:timers/promises';
import type { AnswerRules } from '../../algorithm/answer.ts';
import { type Match, rightAnswers, withLabelVote, withSamples } from '../../algorithm/labelled-debate.ts';
import { type JudgedLabel, judgeLabel, judgeLearnt } from '../../algorithm/measures/labels.ts';
import { learnerGroups, methods } from '../../algorithm/methods.ts';
import { learntDatasets } from '../../algorithm/objectives.ts';
import { agentCount, type ExperimentConfig } from '../../config/experiment.ts';
import { mostVotes } from '../../config/fine-tune.ts';
import { consensusLabels, learningSettings } from '../../config/training-plan.ts';
import { ArtifactDamaged, ArtifactMissing } from '../../store/errors.ts';
import { findDocument, writeDocument } from '../../store/files/documents.ts';
import { readPage } from '../../store/files/rows.ts';
import { goldLabelSchema, labelsSchema } from '../../store/records/rows.ts';
import type { ExperimentFiles } from '../../store/store.ts';
import { matchOf, trainingDebates } from './build-datasets.ts';

/**
 * Judges by the gold answers what an iteration was trained with: its labels, and the rows of its datasets, which are chosen again as
 * `buildDatasets` chose them. Only reports read what it writes, iteration-I/labels.json. Nothing where labels are the gold answers. It is no
 * reason to hold a debate again: when training debates are damaged or gone by now, nothing is written.
 */
export async function measureLabels(
  files: ExperimentFiles,
  iteration: number,
  config: ExperimentConfig,
  rules: Pick<AnswerRules, 'correct' | 'equal'>,
): Promise<void> {
  if (iteration === 0 || config.label_source !== 'consensus') return;
  const place = files.labels(iteration);
  if ((await findDocument(place, labelsSchema)) !== null) return;
  try {
    const rows = await judgedLabels(files, iteration, config, rules);
    const { minVotes, maxVotes } = consensusLabels(config, iteration);
    const ofVotes = mostVotes(config, agentCount(config));
    await writeDocument(place, { iteration, ofVotes, minVotes, maxVotes, rows });
  } catch (error) {
    if (!(error instanceof ArtifactDamaged || error instanceof ArtifactMissing)) throw error;
  }
}

/** A debate in memory at a time. Yields to other work of this process between questions, so that heartbeats go out. */
async function judgedLabels(
  files: ExperimentFiles,
  iteration: number,
  config: ExperimentConfig,
  rules: Pick<AnswerRules, 'correct' | 'equal'>,
): Promise<JudgedLabel[]> {
  const voting = consensusLabels(config, iteration);
  const labels = { from: 'consensus', weight: config.label_weight, ...voting } as const;
  const judged: JudgedLabel[] = [];
  const matches: Match[] = [];
  const rights = new Map<string, readonly (readonly boolean[])[]>();
  for (let shard = 0; ; shard++) {
    const page = await readPage(files.goldLabels, goldLabelSchema, shard, config.shard_size);
    if (page.length === 0) break;
    const golds = new Map(page.map((gold) => [gold.questionId, gold]));
    for await (const training of trainingDebates(files, iteration, shard, config)) {
      const { debate, sampled } = training;
      const match = await matchOf(training, labels, rules, config);
      if (match !== null) matches.push(match);
      const gold = golds.get(debate.question.id);
      // A task may know no answer to some of its training questions.
      if (gold === undefined || gold.answer.trim() === '') continue;
      const right = await rightAnswers(withSamples(debate, sampled), gold, rules);
      const own = right.slice(0, debate.answers.length);
      const found = judgeLabel(await withLabelVote(debate, voting, rules), own);
      if (found !== null) judged.push(found);
      rights.set(debate.question.id, right);
      await otherWork();
    }
  }
  const { learning } = methods[config.method];
  const learners = learning === undefined ? [] : learnerGroups(agentCount(config), learning);
  const datasets = learners.flatMap((agents) =>
    learning === undefined
      ? []
      : Object.entries(learntDatasets(learning, agents, matches, learningSettings(config, iteration))).map(
          ([role, { rows }]) => ({ role, rows }),
        ),
  );
  const learnt = judgeLearnt(datasets, rights);
  return judged.map((label) => ({ ...label, learnt: learnt.get(label.questionId) ?? [] }));
}
