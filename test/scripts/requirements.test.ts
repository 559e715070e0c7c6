import { describe, expect, it } from 'vitest';
import { cpuLock, torchRequirement } from '../../scripts/setup/requirements.mjs';

const lock = `# made by hand
filelock==4.2.11
nvidia-cublas==13.4.1.3 ; sys_platform == "linux"
cuda-bindings==13.5.0
torch==2.15.0 \\
    --hash=sha256:00 \\
    --hash=sha256:11
torchdata==1.0
triton==3.9.0
`;

describe('the lock for a machine without a GPU', () => {
  it('has no package that only CUDA needs, and no hash', () => {
    expect(cpuLock(lock)).toBe('# made by hand\nfilelock==4.2.11\ntorch==2.15.0\ntorchdata==1.0\n');
  });

  it('names the torch to take from the CPU index', () => {
    expect(torchRequirement(lock)).toBe('torch==2.15.0');
    expect(torchRequirement('numpy==2.4.6\n')).toBeNull();
  });
});
