/**
 * A real process that speaks the protocol of engine/train.py and learns nothing: for tests of what supervises it and of the loop
 * around it. Its model is a hash of what it was given, so equal jobs make equal models.
 *
 * Arguments: `--steps N` (default 4), `--step-ms MS` (default 0), `--log FILE` (a line for each model begun and finished),
 * `--control DIR`. In that folder, a file `hold` of `{"model": 2, "at": "checkpoint"}` stops the third model (by how many the log
 * says are finished) before its first step (`begin`), after a checkpoint, or in the middle of its manifest: the file is then called
 * `held`, until it is removed. With a learning rate above 0.5 the loss becomes NaN. A file `fault` of `{"kind": "killed", "times": 1}` goes wrong in one of the ways of `faults`.
 */
import { spawn } from 'node:child_process';
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
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { execution } from './execution.mjs';

const { values } = parseArgs({
  strict: false,
  options: {
    steps: { type: 'string', default: '4' },
    'step-ms': { type: 'string', default: '0' },
    log: { type: 'string' },
    control: { type: 'string' },
    check: { type: 'string' },
  },
});
// It is only asked whether a model could be fine-tuned.
if (values['check'] !== undefined) {
  process.stdout.write(`${JSON.stringify({ modules: 1 })}\n`);
  process.exit(0);
}
let leaving = false;
let busy = false;
process.on('SIGTERM', () => (busy ? (leaving = true) : process.exit(0)));
/** Jobs that are to end. */
const stopped = new Set();
const mustStop = ({ id }) => leaving || stopped.has(id);
// Its parent is gone: it leaves in the middle of whatever it does.
process.stdin.on('end', () => process.exit(0));

async function fineTune(job) {
  const { id } = job;
  const steps = stepsOf(job);
  const data = readFileSync(job.dataset);
  if (!(await lock(job))) {
    say({ event: 'stopped', id, step: 0, checkpoint: null });
    return;
  }
  if (existsSync(job.output_dir)) {
    unlock(job);
    say({
      event: 'done',
      id,
      output_dir: job.output_dir,
      manifest: manifestIn(job.output_dir),
      memory: null,
    });
    return;
  }
  const resumed = newestCheckpoint(job.checkpoint_dir);
  note('begin', id, resumed);
  say({
    event: 'started',
    id,
    total_steps: steps,
    resumed_from_step: resumed,
    rows: rowsOf(data),
    dropped_rows: 0,
  });
  await holdAt('begin', job);
  for (let step = resumed + 1; step <= steps; step++) {
    await pause(Number(values['step-ms']));
    if (step === 2 && (job.settings.learning_rate > 0.5 ? faults.nan(job) : await fail(job))) return;
    say({
      event: 'step',
      id,
      step,
      total_steps: steps,
      loss: 1 / step,
      learning_rate: 1e-3,
      tokens_per_second: 1000,
      epoch: step / steps,
      memory: null,
    });
    if (step === steps) break;
    const path = checkpoint(job, step);
    say({ event: 'checkpoint', id, step, path });
    await holdAt('checkpoint', job);
    if (!mustStop(job)) continue;
    unlock(job);
    say({ event: 'stopped', id, step, checkpoint: path });
    return;
  }
  const manifest = await publish(job, data);
  note('end', id, steps);
  unlock(job);
  say({ event: 'done', id, output_dir: job.output_dir, manifest, memory: null });
}

/** A job of 1000 epochs does not end by itself before the test does. */
function stepsOf({ settings }) {
  return settings.num_train_epochs === 1000 ? 1_000_000 : Number(values.steps);
}

async function publish(job, data) {
  const steps = stepsOf(job);
  const weights = createHash('sha256')
    .update(data)
    .update(JSON.stringify([job.seed, job.settings, job.init_model !== null]))
    .digest();
  const temporary = join(dirname(job.output_dir), `.${basename(job.output_dir)}.unfinished`);
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(temporary, { recursive: true });
  const whole = job.settings.method === 'full';
  const file = whole ? 'model.safetensors' : 'adapter_model.safetensors';
  writeFileSync(join(temporary, file), weights);
  const manifest = {
    format_version: 1,
    base_model: { name_or_path: job.base_model, sha256: 'none' },
    form: whole ? 'full' : 'adapter',
    init_model: job.init_model === null ? null : 'some',
    dataset: { sha256: sha256(data), rows: rowsOf(data), dropped_rows: 0, equal_pairs: 0 },
    settings: job.settings,
    seed: job.seed,
    steps,
    final_loss: 1 / steps,
    losses: Array.from({ length: steps }, (_, index) => ({ step: index + 1, loss: 1 / (index + 1) })),
    rewards: [],
    peak_learning_rate: 1e-3,
    moved: { kl_per_token: 0.005, tokens: data.length, rows: Math.min(32, rowsOf(data)) },
    execution,
    tokens: data.length,
    seconds: 0,
    files: { [file]: { sha256: sha256(weights), bytes: weights.length } },
    versions: { trainer: 'instant' },
  };
  const text = JSON.stringify(manifest);
  writeFileSync(join(temporary, 'manifest.json'), text.slice(0, text.length / 2));
  await holdAt('manifest', job);
  writeFileSync(join(temporary, 'manifest.json'), text);
  renameSync(temporary, job.output_dir);
  return manifest;
}

function rowsOf(data) {
  return data.toString().trim().split('\n').length;
}

/** As engine/train.py does with a lock of the kernel's: one trainer for each model. False when it was asked to stop before. */
async function lock(job) {
  for (;;) {
    try {
      mkdirSync(dirname(job.output_dir), { recursive: true });
      writeFileSync(lockFile(job), String(process.pid), { flag: 'wx' });
      return true;
    } catch {
      if (mustStop(job)) return false;
      const holder = existsSync(lockFile(job)) ? readFileSync(lockFile(job), 'utf8') : '';
      if (holder !== '' && !existsSync(`/proc/${holder}/exe`)) unlock(job);
      await pause(20);
    }
  }
}

function unlock(job) {
  rmSync(lockFile(job), { force: true });
}

function lockFile({ output_dir }) {
  return join(dirname(output_dir), `.${basename(output_dir)}.lock`);
}

function manifestIn(folder) {
  return JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
}

/** True when the job has been given up. */
async function fail(job) {
  const file = values.control && join(values.control, 'fault');
  if (!file || !existsSync(file)) return false;
  const { kind, times } = JSON.parse(readFileSync(file, 'utf8'));
  if (times > 1) writeFileSync(file, JSON.stringify({ kind, times: times - 1 }));
  else rmSync(file);
  return faults[kind](job);
}

const faults = {
  nan: (job) => {
    unlock(job);
    const { id } = job;
    say({ event: 'failed', id, kind: 'nan_loss', message: 'The loss became NaN in step 2' });
    return true;
  },
  // As the kernel does when memory runs out.
  killed: () => process.kill(process.pid, 'SIGKILL'),
  'exit 0': () => process.exit(0),
  garbage: () => process.stdout.write('Downloading shards: 100%|####| 2/2\n'),
  backwards: ({ id }) => {
    const step = {
      event: 'step',
      id,
      total_steps: 4,
      loss: 1,
      learning_rate: 1e-3,
      tokens_per_second: 1,
      epoch: 0,
      memory: null,
    };
    setInterval(() => say({ ...step, step: 1 }), 20);
    return new Promise(() => undefined);
  },
  outlived: () => {
    spawn('sleep', ['5'], { detached: true, stdio: 'inherit' }).unref();
    process.exit(1);
  },
  hang: () => new Promise(() => undefined),
  'half a checkpoint': (job) => {
    const path = join(job.checkpoint_dir, 'step-3');
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'optimizer.pt'), 'half');
    process.kill(process.pid, 'SIGKILL');
  },
  'no model': (job) => {
    unlock(job);
    say({ event: 'done', id: job.id, output_dir: job.output_dir, manifest: emptyManifest, memory: null });
    return true;
  },
};

const emptyManifest = {
  format_version: 1,
  base_model: { name_or_path: '', sha256: '' },
  form: 'adapter',
  init_model: null,
  dataset: { sha256: '', rows: 0, dropped_rows: 0, equal_pairs: 0 },
  settings: {},
  seed: 0,
  steps: 0,
  final_loss: 0,
  losses: [],
  rewards: [],
  peak_learning_rate: 0,
  moved: null,
  execution,
  tokens: 0,
  seconds: 0,
  files: {},
  versions: {},
};

async function holdAt(point, job) {
  const { control, log } = values;
  if (!control || !existsSync(join(control, 'hold'))) return;
  const finished = existsSync(log) ? readFileSync(log, 'utf8').match(/^end/gm) : null;
  const { model, at } = JSON.parse(readFileSync(join(control, 'hold'), 'utf8'));
  if (at !== point || (finished?.length ?? 0) !== model) return;
  renameSync(join(control, 'hold'), join(control, 'held'));
  while (existsSync(join(control, 'held')) && !mustStop(job)) await pause(20);
}

/** Whole only with its marker, which is written last. */
function checkpoint(job, step) {
  const path = join(job.checkpoint_dir, `step-${step}`);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'COMPLETE'), '');
  return path;
}

function newestCheckpoint(folder) {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const whole = names.filter((name) => existsSync(join(folder, name, 'COMPLETE')));
  return Math.max(0, ...whole.map((name) => Number(name.replace('step-', ''))));
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

say({ event: 'ready' });
const lines = createInterface({ input: process.stdin });
// While a job is under way, too.
lines.on('line', (line) => {
  const { id, stop } = JSON.parse(line);
  if (stop === undefined) stopped.delete(id);
  else stopped.add(stop);
});
for await (const line of lines) {
  const job = JSON.parse(line);
  if (job.stop !== undefined) continue;
  busy = true;
  await fineTune(job);
  if (leaving) process.exit(0);
  busy = false;
}
