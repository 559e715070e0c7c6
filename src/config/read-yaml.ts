import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import { shown } from './config-faults.ts';
import { InvalidConfig } from './invalid-config.ts';
import { type ConfigInput, isConfigInput } from './merge-config.ts';

/**
 * The object in a YAML or JSON file.
 *
 * @throws InvalidConfig when the file is missing, unreadable or empty, is not YAML (with line and column), or holds no object
 */
export function readYaml(path: string): ConfigInput {
  const content = parseYaml(readText(path), path);
  if (content === null || content === undefined) {
    throw fault(path, 'the file is empty: expected settings such as "iterations: 3"');
  }
  if (!isConfigInput(content))
    throw fault(path, `expected settings such as "iterations: 3", found ${shown(content)}`);
  return content;
}

/**
 * The value of a YAML text.
 *
 * @param source where the text comes from, for the error
 * @throws InvalidConfig with line and column when it is not YAML
 */
export function parseYaml(text: string, source: string): unknown {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false, stringKeys: true });
  if (document.errors.length > 0) {
    const faults = document.errors.map(({ message, pos: [offset] }) => {
      const { line, col } = lineCounter.linePos(offset);
      return { path: '', message: `line ${line}, column ${col}: ${message}` };
    });
    throw new InvalidConfig(faults, source);
  }
  try {
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    return value;
  } catch (error) {
    throw fault(source, error instanceof Error ? error.message : String(error));
  }
}

function readText(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw fault(path, `cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw fault(path, 'is not text in UTF-8');
  }
}

function fault(source: string, message: string): InvalidConfig {
  return new InvalidConfig([{ path: '', message }], source);
}
