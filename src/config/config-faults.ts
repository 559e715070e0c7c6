import { closest } from 'fastest-levenshtein';
import type { z } from 'zod';
import {
  alternatives,
  describeAllowed,
  keysAt,
  pathsOfKey,
  type SchemaNode,
  schemaNode,
  schemaNodeAt,
} from './allowed-values.ts';
import type { ConfigFault } from './invalid-config.ts';

export type FaultOptions = {
  /** False where a value could be a secret that was put in the wrong place: then only what is allowed is told. */
  readonly showValues: boolean;
};

/** zod's issues as faults: each with the path, the value given, what is allowed, and for an unknown key the nearest valid one. */
export function configFaults(
  schema: z.ZodType,
  input: unknown,
  error: z.ZodError,
  { showValues }: FaultOptions = { showValues: true },
): ConfigFault[] {
  const root = schemaNode(schema);
  return error.issues.flatMap(ofAlternative).flatMap((issue): ConfigFault[] => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => unknownKey(root, input, issue.path, key));
    }
    const path = issue.path.map(String);
    const own = ownMessage(issue);
    const given = valueAt(input, path);
    const node = schemaNodeAt(root, input, path);
    const nearest = showValues ? nearestOf(node, given) : '';
    const allowed = own ?? `expected ${describeAllowed(node)}${nearest}`;
    if (issue.code === 'invalid_key')
      return [{ path: path.join('.'), message: `not a valid key: ${allowed}` }];
    if (given === undefined) return [{ path: path.join('.'), message: `missing: ${allowed}` }];
    return [
      { path: path.join('.'), message: showValues ? `${shown(given)} was given; ${allowed}` : allowed },
    ];
  });
}

/** Of a union without a `kind` to tell its alternatives apart: what is wrong within the one that the value has the form of. */
function ofAlternative(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const within = issue.errors.find((branch) =>
    branch.every(({ code, path }) => path.length > 0 || code === 'unrecognized_keys'),
  );
  return within?.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })) ?? [issue];
}

/** A value as it may stand in a message: short, and told apart from other types. */
export function shown(value: unknown): string {
  const text =
    typeof value === 'number' || value === undefined
      ? String(value)
      : (JSON.stringify(value) ?? typeof value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

/** What the schema itself says of a rule that its JSON Schema cannot tell in words. */
function ownMessage(issue: z.core.$ZodIssue): string | undefined {
  if (issue.code === 'invalid_key') return issue.issues[0]?.message;
  return issue.code === 'custom' || issue.code === 'invalid_format' ? issue.message : undefined;
}

function unknownKey(
  root: SchemaNode,
  input: unknown,
  parent: readonly PropertyKey[],
  key: string,
): ConfigFault {
  const above = parent.map(String);
  const siblings = keysAt(schemaNodeAt(root, input, above));
  // The key's right name in the wrong place is nearer than another name in this one.
  const here = [...above, key].join('.');
  const [elsewhere] = siblings.includes(key) ? [] : pathsOfKey(root, key).filter((path) => path !== here);
  const nearest = elsewhere ?? (siblings.length > 0 ? closest(key, siblings) : undefined);
  return {
    path: here,
    message: nearest === undefined ? 'unknown key' : `unknown key; the nearest valid one is ${nearest}`,
  };
}

/** Of several words that are allowed, the one that was probably meant. */
function nearestOf(node: SchemaNode, given: unknown): string {
  const words = wordsOf(node);
  return typeof given === 'string' && words.length > 0 ? `; the nearest is ${closest(given, words)}` : '';
}

function wordsOf(node: SchemaNode): string[] {
  const own = [...(node.enum ?? []), ...(node.const === undefined ? [] : [node.const])];
  return [...own.filter((word) => typeof word === 'string'), ...alternatives(node).flatMap(wordsOf)];
}

function valueAt(input: unknown, path: readonly string[]): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Object.getOwnPropertyDescriptor(value, key)?.value;
  }
  return value;
}
