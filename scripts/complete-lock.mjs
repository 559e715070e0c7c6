/**
 * `node scripts/complete-lock.mjs` adds to package-lock.json the optional packages for other platforms that npm left out.
 *
 * npm leaves out an optional package that its registry does not serve at the moment (a mirror may lack the binaries of other
 * platforms), and `npm ci` then refuses the lock file on every machine. Each is pinned exactly by the package that asks for
 * it, so its entry can be written without asking the registry. Run it after every `npm install`; a test checks.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { missingOptional } from './setup/optional-packages.mjs';

const file = fileURLToPath(new URL('../package-lock.json', import.meta.url));
const lock = JSON.parse(readFileSync(file, 'utf8'));
const missing = missingOptional(lock.packages);
const entries = Object.entries({ ...lock.packages, ...missing }).toSorted(([a], [b]) =>
  a.localeCompare(b, 'en'),
);
lock.packages = Object.fromEntries(entries);
writeFileSync(file, JSON.stringify(lock, null, 2) + '\n');
console.log(`package-lock.json: ${Object.keys(missing).length} optional packages added`);
