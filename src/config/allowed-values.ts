/** What a schema allows, in words: read from its JSON Schema, so that a message can never differ from the check. */
import { z } from 'zod';

const jsonValue = z.union([z.string(), z.number(), z.boolean()]);
const nodeSchema = z.object({
  type: z.string().optional(),
  enum: z.array(jsonValue).optional(),
  const: jsonValue.optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  exclusiveMinimum: z.number().optional(),
  minLength: z.number().optional(),
  maxLength: z.number().optional(),
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
export type SchemaNode = z.infer<typeof nodeSchema>;

/** The schema's JSON Schema (draft 7), as far as this file reads it. */
export function schemaNode(schema: z.ZodType): SchemaNode {
  return nodeSchema.parse(z.toJSONSchema(schema, { io: 'input', target: 'draft-7' }));
}

/** The node that describes the value at `path`; in a union, that of the alternative whose `kind` the input names. */
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

/** In words, e.g. `a whole number from 1 to 20`. */
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
        : `a list${node.items === undefined ? '' : `, each ${describeAllowed(node.items)}`}`;
    default:
      return node.properties === undefined ? 'an object' : `an object with ${keysAt(node).join(', ')}`;
  }
}

/** The keys that an object may have there; of a union, those of all its alternatives. */
export function keysAt(node: SchemaNode): string[] {
  const own = Object.keys(node.properties ?? {});
  return [...new Set([...own, ...alternatives(node).flatMap(keysAt)])];
}

/** Every place below, in dots, where an object may have this key. */
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
  if (branches.length > 0) return { oneOf: branches.flatMap((branch) => branch.properties?.[key] ?? []) };
  if (node.items !== undefined)
    return (Array.isArray(node.items) ? node.items[Number(key)] : node.items) ?? {};
  return typeof node.additionalProperties === 'object' ? node.additionalProperties : {};
}

/** Of a union, its alternatives. */
export function alternatives({ oneOf, anyOf }: SchemaNode): readonly SchemaNode[] {
  return oneOf ?? anyOf ?? [];
}

function alternative(node: SchemaNode, value: unknown): SchemaNode {
  const kind = typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined;
  if (kind === undefined) return node;
  return alternatives(node).find((branch) => branch.properties?.['kind']?.const === kind) ?? node;
}

function bounds({ minimum, maximum, exclusiveMinimum }: SchemaNode): string {
  const least = exclusiveMinimum === undefined ? minimum : exclusiveMinimum;
  if (least === undefined) return maximum === undefined ? '' : ` of at most ${maximum}`;
  if (exclusiveMinimum !== undefined)
    return ` above ${least}${maximum === undefined ? '' : ` and at most ${maximum}`}`;
  return maximum === undefined ? ` of at least ${least}` : ` from ${least} to ${maximum}`;
}
