/** `mlflow-racer.ts STORE EXPERIMENT URL`: a process that sends an experiment's metrics when its stdin ends, and prints why it failed, or `null`. */
import { mlflow } from '../../src/observe/trackers/mlflow.ts';
import { track } from '../../src/observe/trackers/track.ts';
import { experimentFiles, openStore } from '../../src/store/store.ts';

const [root = '', experiment = '', url = ''] = process.argv.slice(2);
const files = experimentFiles(openStore(root), experiment);
const trackers = new Map([['mlflow', mlflow({ MLFLOW_TRACKING_URI: url }, files)] as const]);
process.stdout.write('ready\n');
for await (const _ of process.stdin) continue;
for (let tries = 1; ; tries++) {
  const [sent] = await track(files, trackers, new AbortController().signal);
  // A busy server may let it wait for too long: a worker tries again too.
  if (tries < 10 && sent?.problem?.includes('ECONNABORTED') === true) continue;
  process.stdout.write(`${String(sent?.problem)}\n`);
  break;
}
