/** A look into an adapter's own file, where its effect is in doubt. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/**
 * Whether the LoRA adapter in the folder `path` is the identity: every `lora_B` matrix is zero, as before the first step of
 * training (and after a single step of a warm-up, whose learning rate is 0). False when that cannot be read here.
 */
export async function adapterChangesNothing(path: string): Promise<boolean> {
  try {
    await using file = await open(join(path, 'adapter_model.safetensors'));
    const read = async (position: number, length: number): Promise<Buffer> =>
      (await file.read({ buffer: Buffer.alloc(length), position })).buffer;
    const headerBytes = Number((await read(0, 8)).readBigUInt64LE());
    const header = headerSchema.parse(JSON.parse((await read(8, headerBytes)).toString('utf8')));
    const matrices = Object.entries(header).filter(([name]) => name.includes('lora_B'));
    for (const [, { data_offsets: offsets }] of matrices) {
      if (offsets === undefined) return false;
      const bytes = await read(8 + headerBytes + offsets[0], offsets[1] - offsets[0]);
      if (bytes.some((byte) => byte !== 0)) return false;
    }
    return matrices.length > 0;
  } catch {
    return false;
  }
}

/** The safetensors format: 8 bytes with the header's length, the header as JSON, then the tensors' bytes. */
const headerSchema = z.record(
  z.string(),
  z.object({ data_offsets: z.tuple([z.number().int(), z.number().int()]).optional() }),
);
