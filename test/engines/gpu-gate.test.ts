import { describe, expect, it } from 'vitest';
import { createGpuGate } from '../../src/engines/gpu-gate.ts';

const { signal } = new AbortController();

/** Work that goes on until it is told to end, and notes when it begins. */
function workIn(log: string[], name: string) {
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const work = async (): Promise<string> => {
    log.push(name);
    await ended;
    return name;
  };
  return { work, end };
}

/** Lets everything that can go on without waiting go on. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('the GPU gate', () => {
  it('lets answers be given side by side, and a fine-tune only alone', async () => {
    const gate = createGpuGate();
    const log: string[] = [];
    const [one, two, tune] = ['answers 1', 'answers 2', 'fine-tune'].map((name) => workIn(log, name));
    const all = [
      gate.shared(signal, one!.work),
      gate.shared(signal, two!.work),
      gate.exclusive(signal, tune!.work),
    ];
    await settled();
    expect(log).toEqual(['answers 1', 'answers 2']);
    one!.end();
    await settled();
    expect(log).toHaveLength(2);
    two!.end();
    await settled();
    expect(log).toEqual(['answers 1', 'answers 2', 'fine-tune']);
    tune!.end();
    expect(await Promise.all(all)).toEqual(['answers 1', 'answers 2', 'fine-tune']);
  });

  it('lets a waiting fine-tune go before answers that came after it, and these before the next fine-tune', async () => {
    const gate = createGpuGate();
    const log: string[] = [];
    const works = ['answers 1', 'tune 1', 'answers 2', 'answers 3', 'tune 2'].map((name) =>
      workIn(log, name),
    );
    const all = works.map(({ work }, index) =>
      [1, 4].includes(index) ? gate.exclusive(signal, work) : gate.shared(signal, work),
    );
    works[0]!.end();
    await settled();
    expect(log).toEqual(['answers 1', 'tune 1']);
    works[1]!.end();
    await settled();
    expect(log).toEqual(['answers 1', 'tune 1', 'answers 2', 'answers 3']);
    for (const { end } of works) end();
    await Promise.all(all);
    expect(log.at(-1)).toBe('tune 2');
  });

  it('lets endpoints with devices of their own answer beside a fine-tune, and shows the wait of all others', async () => {
    const gate = createGpuGate();
    const log: string[] = [];
    const [tune, ours, theirs] = ['fine-tune', 'answers here', 'answers there'].map((name) =>
      workIn(log, name),
    );
    const here = { sharesDevice: async () => true };
    const there = { sharesDevice: async () => false };
    const waits: boolean[] = [];
    const onWait = (since: Date | undefined): void => void waits.push(since !== undefined);
    const tuning = gate.exclusive(signal, tune!.work);
    const answering = gate.shared(signal, ours!.work, { asked: [there, here], onWait });
    const elsewhere = gate.shared(signal, theirs!.work, { asked: [there, there], onWait });
    await settled();
    expect(log.toSorted()).toEqual(['answers there', 'fine-tune']);
    expect(waits).toEqual([true]);
    for (const { end } of [tune!, ours!, theirs!]) end();
    await Promise.all([tuning, answering, elsewhere]);
    expect(waits).toEqual([true, false]);
    expect(await gate.shared(signal, async () => 'at once', { asked: [here], onWait })).toBe('at once');
    expect(waits).toHaveLength(2);
  });

  it('opens again after work that failed', async () => {
    const gate = createGpuGate();
    await expect(gate.exclusive(signal, () => Promise.reject(new Error('out of memory')))).rejects.toThrow(
      'memory',
    );
    await expect(gate.shared(signal, () => Promise.reject(new Error('no answer')))).rejects.toThrow(
      'no answer',
    );
    expect(await gate.exclusive(signal, async () => 'done')).toBe('done');
  });

  it('gives the GPU back to those who answer when one of them does not yield it', async () => {
    const log: string[] = [];
    const gate = createGpuGate(undefined, {
      yieldDevice: () => Promise.reject(new Error('nvidia-smi fails')),
      takeDevice: async () => void log.push('taken back'),
    });
    await expect(gate.exclusive(signal, async () => log.push('fine-tune'))).rejects.toThrow('nvidia-smi');
    expect(log).toEqual(['taken back']);
    expect(await gate.shared(signal, async () => 'answers')).toBe('answers');
  });

  it('lets fine-tunes be inside together, and gives the GPU back after the last of them', async () => {
    const log: string[] = [];
    const gate = createGpuGate(undefined, {
      yieldDevice: async () => void log.push('yielded'),
      takeDevice: async () => void log.push('taken back'),
    });
    const [one, two, later] = ['tune 1', 'tune 2', 'tune 3'].map((name) => workIn(log, name));
    const tuning = [gate.exclusive(signal, one!.work), gate.exclusive(signal, two!.work)];
    await settled();
    expect(log).toEqual(['yielded', 'tune 1', 'tune 2']);
    const answering = gate.shared(signal, async () => log.push('answers'));
    // It came after the answers.
    tuning.push(gate.exclusive(signal, later!.work));
    one!.end();
    await settled();
    expect(log).toHaveLength(3);
    two!.end();
    later!.end();
    await Promise.all([...tuning, answering]);
    expect(log.slice(3)).toEqual(['taken back', 'answers', 'yielded', 'tune 3', 'taken back']);
  });

  it('gives the GPU back once when several fine-tunes end in the same moment, and has it yielded again for the next', async () => {
    const log: string[] = [];
    let fails = true;
    const gate = createGpuGate(undefined, {
      yieldDevice: async () => {
        log.push('yielded');
        if (fails) throw new Error('nvidia-smi fails');
      },
      takeDevice: async () => void log.push('taken back'),
    });
    const tuning = ['tune 1', 'tune 2'].map((name) => gate.exclusive(signal, async () => log.push(name)));
    for (const each of tuning) await expect(each).rejects.toThrow('nvidia-smi');
    expect(log).toEqual(['yielded', 'taken back']);
    fails = false;
    await gate.exclusive(signal, async () => log.push('tune 3'));
    expect(log.slice(2)).toEqual(['yielded', 'tune 3', 'taken back']);
  });

  it('keeps a fine-tune that needs all memory apart from those that do not', async () => {
    const gate = createGpuGate();
    const log: string[] = [];
    const [adapter, whole] = ['adapter', 'whole model'].map((name) => workIn(log, name));
    const tuning = [gate.exclusive(signal, adapter!.work), gate.exclusive(signal, whole!.work, 'all memory')];
    await settled();
    expect(log).toEqual(['adapter']);
    adapter!.end();
    whole!.end();
    await Promise.all(tuning);
    expect(log).toEqual(['adapter', 'whole model']);
  });

  it('lets go of a fine-tune that is aborted while it waits, and of those who waited behind it', async () => {
    const gate = createGpuGate();
    const log: string[] = [];
    const reason = new Error('cancelled');
    const abort = new AbortController();
    const first = workIn(log, 'answers 1');
    const running = gate.shared(signal, first.work);
    const tuning = gate.exclusive(abort.signal, workIn(log, 'fine-tune').work);
    const behind = gate.shared(signal, async () => log.push('answers 2'));
    abort.abort(reason);
    await expect(tuning).rejects.toBe(reason);
    await behind;
    expect(log).toEqual(['answers 1', 'answers 2']);
    first.end();
    await running;
    await expect(gate.shared(abort.signal, async () => 'late')).rejects.toBe(reason);
    expect(await gate.exclusive(signal, async () => 'next')).toBe('next');
  });
});
