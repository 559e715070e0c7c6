/**
 * A real process that speaks the protocol of engine/train.py and learns nothing: for tests of what supervises it and of the loop
 * around it. Its model is a hash of what it was given, so equal jobs make equal models.
 *
 * Arguments: `--steps N` (default 4), `--step-ms MS` (default 0), `--log FILE` (a line for each model begun and finished).
 */
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  strict: false,
  options: {
    steps: { type: 'string', default: '4' },
    'step-ms': { type: 'string', default: '0' },
    log: { type: 'string' },
  },
});
const steps = Number(values.steps);
let busy = false;
let stopping = false;
process.on('SIGTERM', () => {
  stopping = true;
  if (!busy) process.exit(0);
});
say({ event: 'ready' });
for await (const line of createInterface({ input: process.stdin })) {
  busy = true;
  await fineTune(JSON.parse(line));
  if (stopping) break;
  busy = false;
}
process.exit(0);

async function fineTune(job) {
  const { id } = job;
  const data = readFileSync(job.dataset);
  const resumed = newestCheckpoint(job.checkpoint_dir);
  note('begin', id, resumed);
  say({ event: 'started', id, total_steps: steps, resumed_from_step: resumed });
  for (let step = resumed + 1; step <= steps; step++) {
    await pause(Number(values['step-ms']));
    say({
      event: 'step',
      id,
      step,
      total_steps: steps,
      loss: 1 / step,
      learning_rate: 1e-3,
      tokens_per_second: 1000,
      epoch: step / steps,
    });
    if (step === steps) break;
    const path = join(job.checkpoint_dir, `step-${step}`);
    mkdirSync(path, { recursive: true });
    say({ event: 'checkpoint', id, step, path });
    if (!stopping) continue;
    say({ event: 'stopped', id, step, checkpoint: path });
    process.exit(0);
  }
  const weights = createHash('sha256')
    .update(data)
    .update(JSON.stringify([job.seed, job.settings, job.init_adapter !== null]))
    .digest();
  const temporary = `${job.output_dir}.tmp-${process.pid}`;
  mkdirSync(temporary, { recursive: true });
  writeFileSync(join(temporary, 'adapter_model.safetensors'), weights);
  const manifest = {
    format_version: 1,
    base_model: { name_or_path: job.base_model, sha256: 'none' },
    init_adapter: job.init_adapter === null ? null : 'some',
    dataset: { sha256: sha256(data), rows: data.toString().trim().split('\n').length },
    settings: job.settings,
    seed: job.seed,
    steps,
    final_loss: 1 / steps,
    tokens: data.length,
    seconds: 0,
    files: { 'adapter_model.safetensors': { sha256: sha256(weights), bytes: weights.length } },
    versions: { trainer: 'instant' },
  };
  writeFileSync(join(temporary, 'manifest.json'), JSON.stringify(manifest));
  if (existsSync(job.output_dir)) rmSync(temporary, { recursive: true });
  else renameSync(temporary, job.output_dir);
  note('end', id, steps);
  say({ event: 'done', id, output_dir: job.output_dir, manifest });
}

function newestCheckpoint(folder) {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return Math.max(0, ...names.map((name) => Number(name.replace('step-', ''))));
}

function note(what, id, step) {
  if (values.log) appendFileSync(values.log, `${what} ${id} ${step}\n`);
}

function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}

function say(event) {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}
