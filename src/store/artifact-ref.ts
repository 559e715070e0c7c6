import { z } from 'zod';

/** Names the bytes of an artifact. References travel through Temporal; the bytes never do. */
export const artifactRefSchema = z.strictObject({
  /** `file:///…` */
  uri: z.string(),
  /** Hexadecimal, of the bytes. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.number().int().nonnegative(),
  rows: z.number().int().nonnegative(),
});
export type ArtifactRef = Readonly<z.infer<typeof artifactRefSchema>>;
