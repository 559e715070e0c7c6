/** `.tools.json` in the project's root: the paths of the programs that the set-up made or found (read by src/config/installation.ts). */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @typedef {object} ToolsFile
 * @property {string} python absolute path
 * @property {string} temporal absolute path
 * @property {{ python?: string, temporal?: string }} [madeFor] what each was made or found for; when that changes, the next set-up looks again
 */

/**
 * What the last set-up wrote; empty if there was none.
 *
 * @param {string} root
 * @returns {Partial<ToolsFile>}
 */
export function readToolsFile(root) {
  try {
    const content = JSON.parse(readFileSync(join(root, '.tools.json'), 'utf8'));
    return typeof content === 'object' && content !== null ? content : {};
  } catch {
    return {};
  }
}

/**
 * Replaces the file whole: a reader sees the old one or the new one.
 *
 * @param {string} root
 * @param {ToolsFile} content
 */
export function writeToolsFile(root, content) {
  const file = join(root, '.tools.json');
  writeFileSync(`${file}.${process.pid}`, JSON.stringify(content, null, 2) + '\n');
  renameSync(`${file}.${process.pid}`, file);
}
