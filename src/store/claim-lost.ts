/** Another attempt has begun the same work. This one has stopped; Temporal has its successor's answer. */
export class ClaimLost extends Error {
  override name = 'ClaimLost' as const;
  readonly path: string;

  constructor(path: string) {
    super(`${path}: another worker has taken this work over, so this attempt stopped. Nothing need be done.`);
    this.path = path;
  }
}
