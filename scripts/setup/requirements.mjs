/** The lock of the Python packages, as the machine at hand needs it. */

/** PyTorch's own index of wheels without CUDA: a tenth of the size. */
const cpuIndex = 'https://download.pytorch.org/whl/cpu';

/**
 * The address of PyTorch's CPU wheels when it answers within three seconds, else null (then the ordinary wheels serve).
 *
 * @returns {Promise<string | null>}
 */
export async function cpuTorchIndex() {
  try {
    const answer = await fetch(`${cpuIndex}/torch/`, { signal: AbortSignal.timeout(3_000) });
    return answer.ok ? cpuIndex : null;
  } catch {
    return null;
  }
}

/**
 * The lock's line for torch itself (`torch==2.15.0`), null when it has none.
 *
 * @param {string} lock
 */
export function torchRequirement(lock) {
  return /^torch==[^\s;\\]+/m.exec(lock)?.[0] ?? null;
}

/**
 * The lock without the packages that only torch's CUDA build needs, and without hashes (the CPU wheel has another than the
 * wheel that the lock was made with).
 *
 * @param {string} lock
 */
export function cpuLock(lock) {
  return lock
    .replace(/\\\n\s*/g, ' ')
    .split('\n')
    .map((line) => line.replace(/\s*--hash=\S+/g, ''))
    .filter((line) => !/^(nvidia|cuda)-|^triton\b/.test(line))
    .join('\n');
}
