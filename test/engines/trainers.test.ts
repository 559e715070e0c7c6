import { describe, expect, it } from 'vitest';
import { createGpuGate } from '../../src/engines/gpu-gate.ts';
import { TrainerUnknown } from '../../src/engines/trainer/errors.ts';
import { createTrainers } from '../../src/engines/trainer/open.ts';
import { openStore } from '../../src/store/store.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';

const deps = { store: openStore(temporaryFolder()), gate: createGpuGate() };

describe('the trainers of a worker', () => {
  it('are one for each name, and `local` is the one without a name', () => {
    const trainers = createTrainers({ local: { kind: 'process' }, big: { kind: 'process' } }, deps);
    expect(trainers.for('big')).toBe(trainers.for('big'));
    expect(trainers.for()).toBe(trainers.for('local'));
    expect(trainers.for('big')).not.toBe(trainers.for());
  });

  it.each(['lokal', 'toString'])(
    'are unknown where an experiment calls one %s, and the message names those that are known',
    (name) => {
      const trainers = createTrainers({ local: { kind: 'process' } }, deps);
      expect(trainers.has(name)).toBe(false);
      expect(() => trainers.for(name)).toThrow(TrainerUnknown);
      expect(() => trainers.for(name)).toThrow(/it knows local/);
    },
  );
});
