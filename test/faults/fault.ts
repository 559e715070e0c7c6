import type { World } from './world.ts';

export type Fault = {
  readonly name: string;
  /** Goes wrong with the experiment of that name, and is put right by whoever would do so: a supervisor, an operator. */
  readonly strike: (world: World, experiment: string) => Promise<void>;
  /** How many finished shards and models it damages, which have to be made again. 0 unless told. */
  readonly damages?: number;
  /** How many times it catches answers in flight. 1 unless told. */
  readonly catches?: number;
};
