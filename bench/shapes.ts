/** The models of larger shapes that benchmarks make for graphics cards (model_of_shape.py). */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { childEnvironment, tools } from '../src/config/installation.ts';
import { gpus } from '../src/engines/vllm/device.ts';

/**
 * Makes the model in a folder of `folder`, and returns that one.
 *
 * @param gigabytes the memory of a card that the benchmark needs, by shape; 0 where it needs no card
 * @param more what it needs beside the card, in words
 * @throws Error that says what the machine lacks for a model of this shape
 */
export async function modelOfShape(
  shape: string,
  folder: string,
  gigabytes: Readonly<Record<string, number>>,
  more = '',
): Promise<string> {
  const needs = Object.hasOwn(gigabytes, shape) ? gigabytes[shape] : undefined;
  if (needs === undefined)
    throw new Error(`No shape is called ${shape}. There are ${Object.keys(gigabytes).join(', ')}.`);
  const cards = needs === 0 ? [] : await gpus();
  const most = Math.max(0, ...cards.map(({ total }) => total / 1e9));
  if (most < needs)
    throw new Error(
      `--shape ${shape} needs a graphics card of ${needs} GB${more}, and ${
        cards.length === 0
          ? 'nvidia-smi finds no card on this machine'
          : `the largest card of this machine has ${most.toFixed(0)} GB`
      }. Without --shape, the embedded model is measured.`,
    );
  const model = join(folder, shape);
  console.log(`Making a model of the shape ${shape} in ${model} …`);
  const script = fileURLToPath(new URL('./model_of_shape.py', import.meta.url));
  await promisify(execFile)(tools().python, [script, shape, model], { env: childEnvironment() });
  return model;
}
