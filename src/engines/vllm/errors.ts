import { ColloquyError, exitCodes } from '../../errors.ts';

/** vLLM ended when it was to load a model, for a reason that stays. */
export class VllmRefusesModel extends ColloquyError {
  override name = 'VllmRefusesModel' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  readonly model: string;
  /** The error in its log. */
  override readonly cause: string;

  constructor(model: string, cause: string, logFile: string) {
    super(`vLLM cannot serve ${model}: ${cause}. Its log is ${logFile}.`);
    this.model = model;
    this.cause = cause;
  }
}

/** A model is larger than the memory of the device that it is to be served on. */
export class DeviceMemoryTooSmall extends ColloquyError {
  override name = 'DeviceMemoryTooSmall' as const;
  // Another process may give its memory back.
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  override readonly workerLacksIt = true;
  readonly model: string;

  /**
   * @param needs bytes; null when it is not known
   * @param free bytes
   */
  constructor(model: string, device: string, needs: number | null, free: number, cause?: string) {
    super(
      `${model} needs ${needs === null ? 'more memory than there is' : `at least ${gib(needs)} GiB`} of ${device}, and ${gib(free)} GiB are free` +
        `${cause === undefined ? '' : ` (vLLM: ${cause})`}. End what else uses it, take a smaller model, or set ` +
        '`devices` (several share a model) or `args` of the endpoint in configs/endpoints.yaml.',
    );
    this.model = model;
  }
}

function gib(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(1);
}
