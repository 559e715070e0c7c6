import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import {
  failureKinds,
  type TrainerJob,
  type TrainerProgress,
  type TrainerSettings,
} from '../../src/config/contract.ts';
import {
  FineTuneFailed,
  TrainerExited,
  TrainerSpokeGarbage,
  TrainerStalled,
} from '../../src/engines/trainer/errors.ts';
import {
  createTrainerProcess,
  runTrainingCheck,
  trainerCommand,
  type TrainerProcess,
  type TrainerProcessOptions,
} from '../../src/engines/process/trainer-process.ts';
import { createGpuGate } from '../../src/engines/gpu-gate.ts';
import { errorOf } from '../support/error-of.ts';

const folder = mkdtempSync(join(tmpdir(), 'colloquy-trainer-'));
const program = fileURLToPath(new URL('./fixtures/trainer.mjs', import.meta.url));
const { signal } = new AbortController();
const trainers: TrainerProcess[] = [];

function trainer(options: Partial<TrainerProcessOptions> = {}): TrainerProcess {
  const made = createTrainerProcess({
    logFolder: folder,
    gate: createGpuGate(),
    command: [process.execPath, program],
    ...options,
  });
  trainers.push(made);
  return made;
}

afterEach(async () => {
  await Promise.all(trainers.splice(0).map((made) => made.close()));
});

/** @param settings what the fixture's trainer does */
function job(settings: Record<string, unknown> = {}, id = 'finetune-i1-agent1-critic'): TrainerJob {
  const at = (name: string): string => join(folder, name);
  return {
    id,
    base_model: 'm',
    init_model: null,
    dataset: at('data.jsonl'),
    output_dir: at('out'),
    checkpoint_dir: at(`checkpoints-${id}`),
    seed: 1,
    settings: { ...settings, method: 'lora' } as TrainerSettings,
  };
}

const id = job().id;
const step = {
  event: 'step',
  id,
  step: 1,
  total_steps: 2,
  loss: 1.5,
  learning_rate: 1e-4,
  tokens_per_second: 10,
  epoch: 0.5,
  memory: null,
};

/** When `onEvent` is first called with an event of that kind. */
function until(kind: string): {
  readonly onEvent: (event: TrainerProgress) => void;
  readonly seen: Promise<void>;
} {
  let onEvent: (event: TrainerProgress) => void = () => undefined;
  const seen = new Promise<void>((resolve) => (onEvent = (event) => event.event === kind && resolve()));
  return { onEvent, seen };
}

describe('a fine-tune', () => {
  it('reports each of its events in order, then what it made', async () => {
    const checkpoint = { event: 'checkpoint', id, step: 1, path: '/c/step-1' };
    const events: TrainerProgress[] = [];
    const done = await trainer().fineTune(job({ say: [step, checkpoint] }), {
      onEvent: (event) => events.push(event),
      signal,
    });
    expect(events).toEqual([
      { event: 'started', id, total_steps: 2, resumed_from_step: 0, rows: 1, dropped_rows: 0 },
      step,
      checkpoint,
    ]);
    expect(done.manifest).toMatchObject({ steps: 2, final_loss: 0.5, settings: { method: 'lora' } });
  });

  it('comes after the one before it, in the same process', async () => {
    const one = trainer();
    const [first, second] = await Promise.all([
      one.fineTune(job({}, 'a'), { signal }),
      one.fineTune(job({}, 'b'), { signal }),
    ]);
    expect([first.id, second.id]).toEqual(['a', 'b']);
    expect(second.manifest.seconds).toBe(first.manifest.seconds);
  });

  it.each(failureKinds)('that fails with %s says so, and the next gets a new process', async (kind) => {
    const one = trainer();
    const failed = { event: 'failed', id, kind, message: 'Loss is NaN at step 3' };
    const error = await errorOf(one.fineTune(job({ say: [failed], ending: 'wait' }), { signal }));
    expect(error).toBeInstanceOf(FineTuneFailed);
    expect(error).toMatchObject({ kind, words: 'Loss is NaN at step 3' });
    expect((await one.fineTune(job(), { signal })).event).toBe('done');
  });

  it.each([
    ['no JSON', 'Loading weights: 100%'],
    ['JSON but no event', '{"loss":1}'],
    ['an event of another shape', { ...step, step: 'one' }],
    ['a number that JSON has not', '{"event":"step","loss":NaN}'],
  ])('in which the trainer writes %s is ended as not to be trusted', async (_, line) => {
    const error = await errorOf(trainer().fineTune(job({ say: [line], ending: 'wait' }), { signal }));
    expect(error).toBeInstanceOf(TrainerSpokeGarbage);
  });

  it.each([
    [
      'begins twice',
      [{ event: 'started', id, total_steps: 2, resumed_from_step: 0, rows: 1, dropped_rows: 0 }],
    ],
    ['repeats a step', [step, step]],
    ['goes back', [{ ...step, step: 2 }, step]],
    ['goes beyond its end', [{ ...step, step: 3 }]],
    ['counts below zero', [{ ...step, step: -1 }]],
    ['counts beyond all numbers', [{ ...step, step: 1e300 }]],
    ['has a loss beyond all numbers', [JSON.stringify(step).replace('1.5', '1e999')]],
    ['writes a line of 50 MB', ['x'.repeat(50_000_000)]],
    ['writes bytes that are no text', ['\0\ufffd\u0001']],
  ])('whose trainer %s is ended as not to be trusted', async (_, lines) => {
    const error = await errorOf(trainer().fineTune(job({ say: lines, ending: 'wait' }), { signal }));
    expect(error).toMatchObject({ name: 'TrainerSpokeGarbage', retryable: true });
    expect(error.message.length).toBeLessThan(600);
  });

  it('whose trainer reports only other jobs, its readiness and old checkpoints does not go on, and is ended', async () => {
    const idle = [
      { event: 'ready' },
      { ...step, id: 'another job' },
      { event: 'checkpoint', id, step: 1, path: '/c' },
    ];
    const repeated = job({ repeat: idle });
    const error = await errorOf(trainer({ stallMs: 700, graceMs: 50 }).fineTune(repeated, { signal }));
    expect(error).toBeInstanceOf(TrainerStalled);
  });

  it.each(['closes its stdout and lives on', 'leaves its stdout to a program that outlives it'])(
    'whose trainer %s ends all the same',
    async (course) => {
      const ending = course.startsWith('closes') ? 'close' : 'leave';
      const one = trainer({ stallMs: ending === 'close' ? 700 : 15_000, graceMs: 50 });
      const error = await errorOf(one.fineTune(job({ ending }), { signal }));
      expect(error.name).toBe(ending === 'close' ? 'TrainerStalled' : 'TrainerExited');
    },
  );

  it('is done once: what its trainer says afterwards concerns neither it nor the next one', async () => {
    const one = trainer();
    const late = [step, { event: 'failed', id: 'a', kind: 'internal', message: 'late' }];
    const done = await one.fineTune(job({ after: late }, 'a'), { signal });
    expect(done.id).toBe('a');
    expect((await one.fineTune(job({}, 'b'), { signal })).id).toBe('b');
  });

  it('whose trainer exits names its code and the end of its log', async () => {
    const one = trainer();
    const error = await errorOf(one.fineTune(job({ ending: 'exit' }), { signal }));
    expect(error).toBeInstanceOf(TrainerExited);
    expect(error).toMatchObject({ status: { code: 139, signal: null } });
    expect(error.message).toContain('Segmentation fault');
    expect((await one.fineTune(job(), { signal })).event).toBe('done');
  });

  it('whose trainer is killed names the signal', async () => {
    const error = await errorOf(trainer().fineTune(job({ ending: 'kill' }), { signal }));
    expect(error).toMatchObject({ name: 'TrainerExited', status: { code: null, signal: 'SIGKILL' } });
  });

  it('whose trainer says nothing for too long is ended', async () => {
    const one = trainer({ stallMs: 1_000, graceMs: 50 });
    const error = await errorOf(one.fineTune(job({ ending: 'wait', deaf: true }), { signal }));
    expect(error).toBeInstanceOf(TrainerStalled);
  });

  it('that is aborted leaves a checkpoint behind before it throws the reason', async () => {
    const abort = new AbortController();
    const reason = new Error('paused');
    const started = until('started');
    const stopped = until('stopped');
    const running = trainer().fineTune(job({ ending: 'wait' }, 'aborted'), {
      onEvent: (event) => {
        started.onEvent(event);
        stopped.onEvent(event);
      },
      signal: abort.signal,
    });
    await started.seen;
    abort.abort(reason);
    expect(await errorOf(running)).toBe(reason);
    expect(existsSync(`${job({}, 'aborted').checkpoint_dir}-complete`)).toBe(true);
    await stopped.seen;
  });

  it('that is aborted leaves its process to the next one', async () => {
    const one = trainer();
    const first = await one.fineTune(job({}, 'a'), { signal });
    const abort = new AbortController();
    const started = until('started');
    const running = one.fineTune(job({ ending: 'wait' }, 'b'), { ...started, signal: abort.signal });
    await started.seen;
    abort.abort(new Error('paused'));
    expect((await errorOf(running)).message).toBe('paused');
    expect((await one.fineTune(job({}, 'b'), { signal })).manifest.seconds).toBe(first.manifest.seconds);
  });

  it('that is aborted and does not stop in time is ended with its process', async () => {
    const one = trainer({ graceMs: 50 });
    const first = await one.fineTune(job({}, 'a'), { signal });
    const abort = new AbortController();
    const started = until('started');
    const deaf = job({ ending: 'wait', deaf: true }, 'b');
    const running = one.fineTune(deaf, { ...started, signal: abort.signal });
    await started.seen;
    abort.abort(new Error('paused'));
    expect((await errorOf(running)).message).toBe('paused');
    expect((await one.fineTune(job({}, 'b'), { signal })).manifest.seconds).not.toBe(first.manifest.seconds);
  });

  it('that is aborted while another is under way does not disturb that one', async () => {
    const one = trainer();
    const abort = new AbortController();
    const first = one.fineTune(job({}, 'a'), { signal });
    const second = one.fineTune(job({}, 'b'), { signal: abort.signal });
    abort.abort(new Error('cancelled'));
    expect((await errorOf(second)).message).toBe('cancelled');
    expect((await first).id).toBe('a');
  });

  it('whose listener throws is ended with what it threw', async () => {
    const failing = (): never => {
      throw new Error('the heartbeat failed');
    };
    const error = await errorOf(trainer().fineTune(job({ ending: 'wait' }), { onEvent: failing, signal }));
    expect(error.message).toBe('the heartbeat failed');
  });

  it('without its Python says what to do', async () => {
    const error = await errorOf(trainer({ command: ['/no/python'] }).fineTune(job(), { signal }));
    expect(error).toMatchObject({ name: 'ProcessNotStarted' });
    expect(error.message).toContain('setup.mjs');
  });

  it('can follow a close', async () => {
    const one = trainer();
    await one.fineTune(job(), { signal });
    await one.close();
    expect((await one.fineTune(job(), { signal })).event).toBe('done');
  });
});

describe('a trainer on several devices', () => {
  it('is started by torchrun, which ends all of its processes within the time for a checkpoint', () => {
    const alone = trainerCommand({ device: { padding_free: true } }, 20_000);
    expect(alone).toHaveLength(2);
    const [python, train] = alone;
    expect(trainerCommand({ device: { processes: 8 } }, 20_000).join(' ')).toBe(
      `${python} -m torch.distributed.run --standalone --nproc_per_node 8 --shutdown_timeout 20 ${train}`,
    );
  });

  it('goes on after it reports that there was not enough memory', async () => {
    const smaller = { event: 'micro_batch', id, step: 0, rows: 2, gradient_checkpointing: false };
    const events: TrainerProgress[] = [];
    await trainer().fineTune(job({ say: [smaller, step] }), { onEvent: (each) => events.push(each), signal });
    expect(events.slice(1)).toEqual([smaller, step]);
  });
});

describe('the check of a base model before anything is asked', () => {
  const check = { examples: [], lora_target_modules: 'all-linear' };
  const run = (model: string, stallMs = 60_000) =>
    runTrainingCheck(
      model,
      check,
      {
        logFolder: mkdtempSync(join(tmpdir(), 'colloquy-check-')),
        command: [process.execPath, program],
        stallMs,
      },
      new AbortController().signal,
    );

  it('passes a model that can be fine-tuned, and says in the words of the trainer why another cannot', async () => {
    await run('a/model');
    await expect(run('a/other-model')).rejects.toMatchObject({
      name: 'TrainingImpossible',
      message: expect.stringContaining('the chat template of a/other-model cannot write a first answer'),
    });
  });

  it('blames no model when it cannot be found out', async () => {
    await expect(run('a/strange-model')).rejects.toMatchObject({ name: 'FineTuneFailed', retryable: true });
    await expect(run('a/dead-model')).rejects.toMatchObject({ name: 'TrainerExited', retryable: true });
    await expect(run('a/silent-model', 500)).rejects.toMatchObject({
      name: 'TrainerStalled',
      retryable: true,
    });
  });
});
