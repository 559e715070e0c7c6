/** Where the paths of the programs are kept that the set-up made or found (read by src/config/installation.ts), and how they get there. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { cacheFolder, fingerprint, makeFolder } from './cache.mjs';

/**
 * @typedef {object} ToolsFile
 * @property {string | undefined} [python] absolute path
 * @property {string | undefined} [temporal] absolute path
 * @property {{ python?: string | undefined, temporal?: string | undefined }} [madeFor] what each was made or found for; when that changes, the next set-up looks again
 */

/**
 * Whether npm installed `root` as a package. Such a folder may be read-only, or belong to several users, and npm replaces it as a whole:
 * nothing is written there.
 *
 * @param {string} root
 */
export function isPackage(root) {
  return basename(dirname(root)) === 'node_modules';
}

/**
 * The file with the paths: `.tools.json` in a clone; for a package one in the user's cache, which belongs to this version at this place.
 *
 * @param {string} root absolute, without a slash at its end
 * @param {NodeJS.ProcessEnv} [environment]
 */
export function toolsFileOf(root, environment = process.env) {
  if (!isPackage(root)) return join(root, '.tools.json');
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return join(cacheFolder(environment), `tools-${version}-${fingerprint(root)}.json`);
}

/**
 * What the last set-up wrote; empty if there was none.
 *
 * @param {string} root
 * @param {NodeJS.ProcessEnv} [environment]
 * @returns {ToolsFile}
 */
export function readToolsFile(root, environment = process.env) {
  try {
    const content = JSON.parse(readFileSync(toolsFileOf(root, environment), 'utf8'));
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
  const file = toolsFileOf(root);
  makeFolder(dirname(file));
  writeFileSync(`${file}.${process.pid}`, JSON.stringify(content, null, 2) + '\n');
  renameSync(`${file}.${process.pid}`, file);
}
