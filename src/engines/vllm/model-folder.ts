/** What the files of a model say that vLLM has to serve. */
import { z } from 'zod';
import { fileBlobs } from '../../store/blobs-file.ts';

export type ModelFacts = {
  /** The weights as they will be in memory; null when their files are not in a folder here. Bytes. */
  readonly weights: number | null;
  /** The longest context that the model has, in tokens; null when it is not known here. */
  readonly longestContext: number | null;
};

const configSchema = z.object({
  max_position_embeddings: z.int().positive().optional(),
  dtype: z.string().optional(),
  torch_dtype: z.string().optional(),
});

/**
 * @param model as `resolveModel` gives it
 * @param float32 whether the weights will be float32, whatever they are in their files
 */
export async function modelFacts(model: string, float32: boolean): Promise<ModelFacts> {
  if (!model.startsWith('/')) return { weights: null, longestContext: null };
  const folder = fileBlobs(model);
  const names = (await folder.list('')).filter((name) => /^[^/]+\.safetensors$/.test(name));
  const sizes = await Promise.all(names.map((name) => folder.size(name)));
  const bytes = sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
  const config = configSchema.safeParse(parsed(await folder.get('config.json'))).data;
  const half = /16/.test(config?.dtype ?? config?.torch_dtype ?? '');
  return {
    weights: bytes === 0 ? null : bytes * (float32 && half ? 2 : 1),
    longestContext: config?.max_position_embeddings ?? null,
  };
}

function parsed(bytes: Buffer | null): unknown {
  try {
    return JSON.parse(String(bytes));
  } catch {
    return undefined;
  }
}
