import { join, resolve } from 'node:path';
import { experimentNameSchema, seriesNameSchema, studyNameSchema } from '../config/experiment-name.ts';
import { projectRoot } from '../config/project-root.ts';

/** Folders below one root; nothing is made until something is written. All paths are absolute. */
export type Store = {
  readonly root: string;
  /** The folder of an experiment. @throws ZodError when it is no experiment's name, so that nothing outside is touched */
  experiment(name: string): string;
  /** The folder of a series of nights. @throws ZodError when it is no series' name */
  series(name: string): string;
  /**
   * A journal of answers that experiments share. @throws ZodError when `name` could be a path
   *
   * @param shard which questions of which iteration
   */
  sharedAnswers(name: string, seed: string, shard: string): string;
  /** The folder of a study. @throws ZodError when it is no study's name */
  study(name: string): string;
  /** The folder of a finished fine-tune, by its content address. */
  model(key: string): string;
  /** Where the fine-tune with that content address keeps its checkpoints. */
  checkpoints(key: string): string;
  /** What was asked for when that fine-tune was begun, so that it can be made again. */
  modelRequest(key: string): string;
  /** Logs of the engines. */
  readonly logs: string;
};

/** The store at `root`; by default where COLLOQUY_STORE says, else `runs/` in the project. */
export function openStore(root: string = process.env['COLLOQUY_STORE'] || join(projectRoot, 'runs')): Store {
  const absolute = resolve(root);
  return {
    root: absolute,
    experiment: (name) => join(absolute, experimentNameSchema.parse(name)),
    series: (name) => join(absolute, 'series', seriesNameSchema.parse(name)),
    sharedAnswers: (name, seed, shard) =>
      join(absolute, 'answers', seriesNameSchema.parse(name), seed, `${shard}.journal.jsonl`),
    study: (name) => join(absolute, 'studies', studyNameSchema.parse(name)),
    model: (key) => join(absolute, 'models', key),
    checkpoints: (key) => join(absolute, 'models', `${key}.checkpoints`),
    modelRequest: (key) => join(absolute, 'models', `${key}.request.json`),
    logs: join(absolute, 'logs'),
  };
}
