/** No Temporal server answers where one should be, or it refuses to talk to us. */
export class TemporalNotReachable extends Error {
  override name = 'TemporalNotReachable' as const;
  readonly address: string;

  constructor(address: string, reason: string) {
    super(
      `Temporal does not answer at ${address} (${reason}).\n` +
        'Start a server together with a worker in another terminal:  npx colloquy dev\n' +
        'Or say where it is: TEMPORAL_ADDRESS=host:port, or a profile as for the temporal CLI (TEMPORAL_PROFILE).',
    );
    this.address = address;
  }
}
