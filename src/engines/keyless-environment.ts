import { keyName } from '../config/key-name.ts';

/** The hub's token: with it a program downloads the model that it was told to load. */
const needed = new Set(['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN']);

/**
 * The environment of a program that asks no other server: engine and trainer read models and questions from strangers, and whatever
 * they print is kept in logs.
 */
export function keylessEnvironment(environment: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => needed.has(name) || !keyName.test(name)),
  );
}
