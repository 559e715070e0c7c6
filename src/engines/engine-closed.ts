/** An engine was asked for an answer after its worker had begun to shut down. */
export class EngineClosed extends Error {
  override name = 'EngineClosed' as const;

  constructor(engine: string) {
    super(`${engine} has been closed, as its worker is shutting down. Start a worker to go on.`);
  }
}
