import type { z } from 'zod';
import { ArtifactDamaged } from './artifact-damaged.ts';

/**
 * The rows of a table's bytes, each as the schema has it.
 *
 * @throws ArtifactDamaged
 */
export function parseRows<Row>(path: string, bytes: Buffer, schema: z.ZodType<Row>): Row[] {
  const rows: Row[] = [];
  // Line by line from the bytes: a big table never is one string.
  for (let start = 0; start < bytes.length;) {
    const newline = bytes.indexOf(10, start);
    const end = newline === -1 ? bytes.length : newline;
    rows.push(parseRow(path, rows.length + 1, bytes.subarray(start, end), schema));
    start = end + 1;
  }
  return rows;
}

/** @throws ArtifactDamaged, with the row's number (1 the first) and what is wrong with it */
export function parseRow<Row>(path: string, number: number, line: Buffer, schema: z.ZodType<Row>): Row {
  const row = schema.safeParse(contentOf(line));
  if (row.success) return row.data;
  const [issue] = row.error.issues;
  const found = `row ${number}: ${issue?.path.join('.')}: ${issue?.message}`;
  throw new ArtifactDamaged(path, 'rows as this version of Colloquy writes them', found);
}

/** Undefined, which fits no schema, when the line is no JSON. */
function contentOf(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString('utf8'));
  } catch {
    return undefined;
  }
}
