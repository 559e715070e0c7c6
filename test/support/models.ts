import { type BaseModel, type Model, tunedModel, untuned } from '../../src/store/models.ts';

/** A base model of which only the name counts. */
export function baseNamed(name: string, endpoint = 'instant'): BaseModel {
  return { endpoint, name, revision: null, weights: name };
}

export function modelNamed(name: string, endpoint?: string): Model {
  return untuned(baseNamed(name, endpoint));
}

/** A fine-tuned model whose content address is a hexadecimal digit, or a few of them, repeated. */
export function adapterNamed(digit: string, base = baseNamed('instant')): Model {
  return tunedModel(base, digit.repeat(64).slice(0, 64), 'adapter');
}
