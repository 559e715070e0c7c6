/** What is wrong with a config, and what is allowed there, in words for the user? */
import { closest, distance } from 'fastest-levenshtein';
import { z } from 'zod';
import { ColloquyError, exitCodes } from '../errors.ts';
import { ownName, ownSetting } from './other-names.ts';

/** One thing that is wrong with a config. */
export type ConfigFault = {
  /** Keys joined by dots, e.g. `task.train_size`; empty when the whole config is wrong. */
  readonly path: string;
  /** The value given and what is allowed. */
  readonly message: string;
};

/** The config of an experiment, a study or an endpoint is not valid. A retry cannot help: the user has to change it. */
export class InvalidConfig extends ColloquyError {
  override name = 'InvalidConfig' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.badUsage;
  /** Every fault, not just the first. */
  readonly faults: readonly ConfigFault[];

  constructor(faults: readonly ConfigFault[], subject = 'The config') {
    const lines = faults.map(({ path, message }) => (path === '' ? `  ${message}` : `  ${path}: ${message}`));
    super(
      `${subject} has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${lines.join('\n')}`,
    );
    this.faults = faults;
  }
}

export type FaultOptions = {
  /** False where a value could be a secret in the wrong place: the message then has only what is allowed. */
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
  return error.issues.flatMap(issuesOfAlternative).flatMap((issue): ConfigFault[] => {
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

/** Keys called `__proto__` where any key is allowed: there zod leaves them out without an error. */
export function hiddenKeyFaults(value: unknown, path: readonly string[] = []): ConfigFault[] {
  if (typeof value !== 'object' || value === null) return [];
  const own = Object.hasOwn(value, '__proto__')
    ? [{ path: [...path, '__proto__'].join('.'), message: 'not a valid key' }]
    : [];
  return [...own, ...Object.entries(value).flatMap(([key, each]) => hiddenKeyFaults(each, [...path, key]))];
}

/**
 * The issues within one alternative, for a union whose alternatives have no `kind`: the one whose form the value has. Example: for
 * `encoder: {endpoint: 3, model: x}` it is the fault at `encoder.endpoint`, instead of "none of the alternatives".
 */
function issuesOfAlternative(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const within = issue.errors.find((branch) =>
    branch.every(({ code, path }) => path.length > 0 || code === 'unrecognized_keys'),
  );
  return within?.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })) ?? [issue];
}

/** A value for a message: at most 80 characters, in a form that shows its type (`1` or `"1"`). */
export function shown(value: unknown): string {
  const text =
    typeof value === 'number' || value === undefined
      ? String(value)
      : (JSON.stringify(value) ?? typeof value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

/** The schema's own message, for a rule that its JSON Schema cannot express. */
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
  const write = ownSetting(key, valueAt(input, [...above, key]), Object.keys(root.properties ?? {}));
  if (write !== undefined) return { path: [...above, key].join('.'), message: `unknown key; write ${write}` };
  const siblings = keysAt(schemaNodeAt(root, input, above));
  // A key with the right name in the wrong place is nearer than another name in this place, unless it differs from that one by a slip of the pen.
  const slip = siblings.some((sibling) => distance(key, sibling) <= (key.length > 3 ? 2 : 0));
  const here = [...above, key].join('.');
  const [elsewhere] = slip ? [] : pathsOfKey(root, key).filter((path) => path !== here);
  const meant = root.properties === undefined ? undefined : ownName(key, Object.keys(root.properties));
  // The path is left out when the key belongs to this place.
  const known = siblings.find((sibling) => sibling === meant?.split('.').at(-1)) ?? meant;
  const nearest = elsewhere ?? known ?? (siblings.length > 0 ? closest(key, siblings) : undefined);
  return {
    path: here,
    message: nearest === undefined ? 'unknown key' : `unknown key; the nearest valid one is ${nearest}`,
  };
}

/** Names the allowed word that is most like the given one; empty where no words are allowed. */
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

const jsonValue = z.union([z.string(), z.number(), z.boolean()]);
const nodeSchema = z.object({
  type: z.string().optional(),
  enum: z.array(jsonValue).optional(),
  const: jsonValue.optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  exclusiveMinimum: z.number().optional(),
  exclusiveMaximum: z.number().optional(),
  minLength: z.number().optional(),
  maxLength: z.number().optional(),
  minItems: z.number().optional(),
  maxItems: z.number().optional(),
  get properties() {
    return z.record(z.string(), nodeSchema).optional();
  },
  get additionalProperties() {
    return z.union([z.boolean(), nodeSchema]).optional();
  },
  get items() {
    return z.union([z.array(nodeSchema), nodeSchema]).optional();
  },
  get oneOf() {
    return z.array(nodeSchema).optional();
  },
  get anyOf() {
    return z.array(nodeSchema).optional();
  },
});
/** What a schema allows, from its JSON Schema. Messages are made from it, so that they cannot differ from the check. */
export type SchemaNode = z.infer<typeof nodeSchema>;

/** The part of the schema's JSON Schema (draft 7) that this file reads. */
export function schemaNode(schema: z.ZodType): SchemaNode {
  return nodeSchema.parse(z.toJSONSchema(schema, { io: 'input', target: 'draft-7' }));
}

/** The node that describes the value at `path`. In a union it is the alternative whose `kind` the input names. */
export function schemaNodeAt(root: SchemaNode, input: unknown, path: readonly string[]): SchemaNode {
  let node = alternative(root, input);
  let value = input;
  for (const key of path) {
    value =
      typeof value === 'object' && value !== null
        ? Object.getOwnPropertyDescriptor(value, key)?.value
        : undefined;
    node = alternative(child(node, key), value);
  }
  return node;
}

/** What a node allows, in words, e.g. `a whole number from 1 to 20`. */
export function describeAllowed(node: SchemaNode): string {
  const branches = alternatives(node);
  if (branches.length > 0) return branches.map(describeAllowed).join(', or ');
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (node.enum !== undefined) return `one of ${node.enum.map((value) => JSON.stringify(value)).join(', ')}`;
  switch (node.type) {
    case 'integer':
      return `a whole number${bounds(node)}`;
    case 'number':
      return `a number${bounds(node)}`;
    case 'boolean':
      return 'true or false';
    case 'string':
      return node.maxLength === undefined
        ? 'a text that is not empty'
        : `a text of ${node.minLength ?? 0} to ${node.maxLength} characters`;
    case 'array':
      return Array.isArray(node.items)
        ? `a list of ${node.items.length}: [${node.items.map(describeAllowed).join(', ')}]`
        : `a list${sizes(node)}${node.items === undefined ? '' : `, each ${describeAllowed(node.items)}`}`;
    default:
      return node.properties === undefined ? 'an object' : `an object with ${keysAt(node).join(', ')}`;
  }
}

/** The keys that an object may have there. A union has the keys of all its alternatives. */
export function keysAt(node: SchemaNode): string[] {
  const own = Object.keys(node.properties ?? {});
  return [...new Set([...own, ...alternatives(node).flatMap(keysAt)])];
}

/** The path (with dots) of every place below where an object may have this key. */
export function pathsOfKey(node: SchemaNode, key: string, above: readonly string[] = []): string[] {
  const here = Object.entries(node.properties ?? {}).flatMap(([name, below]) => [
    ...(name === key ? [[...above, name].join('.')] : []),
    ...pathsOfKey(below, key, [...above, name]),
  ]);
  const below = alternatives(node).flatMap((branch) => pathsOfKey(branch, key, above));
  return [...new Set([...here, ...below])];
}

function child(node: SchemaNode, key: string): SchemaNode {
  const named = node.properties?.[key];
  if (named !== undefined) return named;
  const branches = alternatives(node);
  if (branches.length > 0)
    return {
      oneOf: branches.flatMap(
        ({ properties, items }) => properties?.[key] ?? (items === undefined ? [] : child({ items }, key)),
      ),
    };
  if (node.items !== undefined)
    return (Array.isArray(node.items) ? node.items[Number(key)] : node.items) ?? {};
  return typeof node.additionalProperties === 'object' ? node.additionalProperties : {};
}

/** The alternatives of a union; none for another node. */
export function alternatives({ oneOf, anyOf }: SchemaNode): readonly SchemaNode[] {
  return oneOf ?? anyOf ?? [];
}

function alternative(node: SchemaNode, value: unknown): SchemaNode {
  const kind = typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined;
  if (kind === undefined) return node;
  return alternatives(node).find((branch) => branch.properties?.['kind']?.const === kind) ?? node;
}

function sizes({ minItems, maxItems }: SchemaNode): string {
  return minItems === undefined || maxItems === undefined ? '' : ` of ${minItems} to ${maxItems}`;
}

function bounds({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: SchemaNode): string {
  if (exclusiveMaximum !== undefined)
    return `${bounds({ minimum, exclusiveMinimum })}${(minimum ?? exclusiveMinimum) === undefined ? '' : ' and'} below ${exclusiveMaximum}`;
  const least = exclusiveMinimum === undefined ? minimum : exclusiveMinimum;
  if (least === undefined) return maximum === undefined ? '' : ` of at most ${maximum}`;
  if (exclusiveMinimum !== undefined)
    return ` above ${least}${maximum === undefined ? '' : ` and at most ${maximum}`}`;
  return maximum === undefined ? ` of at least ${least}` : ` from ${least} to ${maximum}`;
}
