/**
 * A worker with little memory: debates shards of many questions whose answers are long, and answers them itself.
 *
 * Arguments: the store; the file that gets a line for each question that the model was asked; shards; questions a shard; bytes of an answer.
 */
import { appendFileSync } from 'node:fs';
import { debate } from '../../../src/activities/steps/debate.ts';
import { baseAgents } from '../../../src/algorithm/agents.ts';
import { methods } from '../../../src/algorithm/methods.ts';
import { agentCount, experimentConfigSchema } from '../../../src/config/experiment.ts';
import { openStore, experimentFiles } from '../../../src/store/store.ts';
import { writeDocument } from '../../../src/store/files/documents.ts';
import { findRows, writeRows } from '../../../src/store/files/rows.ts';
import { openDependencies } from '../../../src/workers/start.ts';
import { endpointsThatSay } from '../../support/endpoints-that-say.ts';
import { modelNamed } from '../../support/models.ts';
import { runStep } from '../../support/run-step.ts';

const [root = '', log = '', shards = '1', questions = '1', bytes = '1'] = process.argv.slice(2);
const store = openStore(root);
const files = experimentFiles(store, 'long');
const base = modelNamed('instant');
const answerBytes = Number(bytes);

const dependencies = openDependencies({
  store,
  endpoints: endpointsThatSay(({ messages, seed }) => {
    appendFileSync(log, `${seed} ${messages.length}\n`);
    // Made again each time, as the text of an HTTP reply is.
    return `${Buffer.alloc(answerBytes, `${seed} is long. `).toString('latin1')} \\boxed{4}`;
  }),
});
const config = experimentConfigSchema.parse({
  shard_size: Number(questions),
  rounds: 3,
  sampling: { max_tokens: 64 },
});
if ((await findRows(files.questions('train'))) === null) {
  await writeDocument(files.config, config);
  const ids = Array.from({ length: Number(shards) * Number(questions) }, (_, index) => ({
    id: `q${index}`,
    text: `2+2 (${index})`,
  }));
  await writeRows(files.questions('train'), ids);
}
const agents = baseAgents(
  Array.from({ length: agentCount(config) }, () => base),
  methods[config.method].roles,
);
const summaries = await Promise.all(
  Array.from({ length: Number(shards) }, (_, shard) =>
    runStep(debate, { experiment: 'long', iteration: 1, split: 'train', shard, agents }, dependencies),
  ),
);
await dependencies.close();
process.stdout.write(JSON.stringify(summaries.map(({ consensus }) => consensus.questions)));
