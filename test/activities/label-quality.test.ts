import { readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { agentCount } from '../../src/config/experiment.ts';
import { configInForce } from '../../src/store/records/config-changes.ts';
import { measureLabels } from '../../src/activities/steps/measure-labels.ts';
import { buildDatasets } from '../../src/activities/steps/build-datasets.ts';
import { readDocument, writeDocument } from '../../src/store/files/documents.ts';
import { labelsSchema } from '../../src/store/records/rows.ts';
import { experimentFiles } from '../../src/store/store.ts';
import { runStep } from '../support/run-step.ts';
import { type StepsOfAnExperiment, stepsOfAnExperiment } from '../support/steps-of-an-experiment.ts';

let steps: StepsOfAnExperiment;
beforeAll(async () => {
  steps = await stepsOfAnExperiment();
});
afterAll(async () => steps[Symbol.asyncDispose]());

it('judges the labels of an iteration by the gold answers, which reach no dataset', async () => {
  const [request] = await steps.fineTunes();
  const { store, tasks } = steps.dependencies;
  const files = experimentFiles(store, request!.experiment);
  const config = await configInForce(files);
  const dataset = files.dataset(1, 1, 'generation').where;
  const before = readFileSync(dataset, 'utf8');

  await measureLabels(files, 1, config, tasks.open(config.task).answers);
  const labels = await readDocument(files.labels(1), labelsSchema);
  expect(labels).toMatchObject({ iteration: 1, ofVotes: 3, minVotes: config.min_votes });
  expect(labels!.rows.map(({ questionId }) => questionId)).toEqual(
    Array.from({ length: 16 }, (_, index) => `train-${String(index).padStart(5, '0')}`),
  );
  for (const { chosen, rejected } of labels!.rows) expect(chosen.of + rejected.of).toBe(3);
  // One of an earlier version is read as it is.
  const { ofVotes: _, rows: judged, ...rest } = labels!;
  const older = { ...rest, rows: judged.map(({ learnt: __, ...row }) => row) };
  expect(labelsSchema.parse(older)).toEqual(older);

  // Without the file of gold answers the same dataset is made.
  rmSync(files.goldLabels.where);
  for (const path of [dataset, `${dataset}.ref.json`]) rmSync(path);
  await runStep(
    buildDatasets,
    { experiment: request!.experiment, iteration: 1, agents: [1], shards: 2 },
    steps.dependencies,
  );
  expect(readFileSync(dataset, 'utf8')).toBe(before);
  // A row has the variables of the template with which its answer was asked for.
  for (const path of [dataset, `${dataset}.ref.json`]) rmSync(path);
  const noThinking = { ...config, sampling: { ...config.sampling, enable_thinking: false } };
  await writeDocument(files.config, noThinking);
  await runStep(
    buildDatasets,
    { experiment: request!.experiment, iteration: 1, agents: [1], shards: 2 },
    steps.dependencies,
  );
  await writeDocument(files.config, config);
  const [row = '', ...rows] = readFileSync(dataset, 'utf8').trimEnd().split('\n');
  expect(rows.length).toBe(before.trimEnd().split('\n').length - 1);
  expect(JSON.parse(row)).toMatchObject({ chat_template_kwargs: { enable_thinking: false } });
  // Also where agents that share a model have others.
  for (const path of [dataset, `${dataset}.ref.json`]) rmSync(path);
  const others = Array.from({ length: agentCount(config) - 1 }, () => ({
    sampling: { enable_thinking: true },
  }));
  await writeDocument(files.config, { ...noThinking, agents: [{}, ...others] });
  await runStep(
    buildDatasets,
    { experiment: request!.experiment, iteration: 1, agents: [1, 2], shards: 2 },
    steps.dependencies,
  );
  await writeDocument(files.config, config);
  const shared = readFileSync(dataset, 'utf8').trimEnd().split('\n');
  expect(shared.filter((each) => each.includes('"enable_thinking":false')).length).toBeGreaterThan(0);
  expect(shared.filter((each) => each.includes('"enable_thinking":true')).length).toBeGreaterThan(0);
  // What can no longer be judged stops nothing.
  rmSync(files.labels(1).where);
  rmSync(`${files.labels(1).where}.ref.json`);
  await measureLabels(files, 1, config, tasks.open(config.task).answers);
  expect(await readDocument(files.labels(1), labelsSchema)).toBeNull();
});

it('judges nothing of the base model, and none where the labels are gold answers', async () => {
  const { store, tasks } = steps.dependencies;
  const files = experimentFiles(store, 'steps');
  const config = await configInForce(files);
  const { answers } = tasks.open(config.task);
  await measureLabels(files, 0, config, answers);
  await measureLabels(files, 2, { ...config, label_source: 'gold' }, answers);
  expect(await readDocument(files.labels(0), labelsSchema)).toBeNull();
  expect(await readDocument(files.labels(2), labelsSchema)).toBeNull();
});
