import type { World } from './world.ts';

export type Fault = {
  readonly name: string;
  /** Goes wrong with the experiment of that name, and is put right by a supervisor or an operator, as in real use. */
  readonly strike: (world: World, experiment: string) => Promise<void>;
  /** How many finished shards and models it damages, which have to be made again. Default: 0. */
  readonly damages?: number;
  /** Whether it ends the Temporal server, which then has to be one of its own. */
  readonly endsServer?: true;
  /** How many times it catches answers in flight. Default: 1. */
  readonly catches?: number;
};
