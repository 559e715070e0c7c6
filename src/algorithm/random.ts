/** How is something drawn at random, so that the same experiment draws the same? */
import { sha256 } from '@noble/hashes/sha2.js';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** The place of a draw in an experiment. A draw depends only on its key, not on order, time or worker. */
export type DrawKey = {
  readonly seed: number;
  readonly iteration: number;
  /** The purpose of the draw, so that two draws at the same place are independent, e.g. `response`, `consensus`. */
  readonly purpose: string;
  readonly question?: string;
  readonly agent?: number;
  readonly round?: number;
};

/**
 * A seed for an engine's sampler: an integer in 0..2^31-1. It is part of the format of every experiment: with another value for the same
 * key every config would give another experiment.
 */
export function seedFor(key: DrawKey): number {
  const text = [key.seed, key.iteration, key.purpose, key.question ?? '', key.agent ?? '', key.round ?? ''];
  const digest = sha256(new TextEncoder().encode(JSON.stringify(text)));
  return new DataView(digest.buffer, digest.byteOffset).getUint32(0) >>> 1;
}

/** An integer in 0..count-1, each equally likely. `count` is at least 1. */
export function draw(key: DrawKey, count: number): number {
  return uniformInt(xoroshiro128plus(seedFor(key)), 0, count - 1);
}

/** A function that draws one integer after another, each like `draw`. It is for thousands of draws, where a seed for each would be slow. */
export function draws(key: DrawKey): (count: number) => number {
  const generator = xoroshiro128plus(seedFor(key));
  return (count) => uniformInt(generator, 0, count - 1);
}

/** The items in a random order (Fisher-Yates), every order equally likely. The items themselves stay as they are. */
export function shuffle<Item>(key: DrawKey, items: readonly Item[]): Item[] {
  const generator = xoroshiro128plus(seedFor(key));
  const rest = [...items];
  const shuffled: Item[] = [];
  while (rest.length > 0) shuffled.push(...rest.splice(uniformInt(generator, 0, rest.length - 1), 1));
  return shuffled;
}
