/**
 * npm runs this before it packs (`npm pack`, `npm publish`), and removes what it wrote afterwards: npm-shrinkwrap.json, which gives those who
 * install the package the versions that were tested. It is package-lock.json without what only development needs.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const root = new URL('..', import.meta.url);
const lock = JSON.parse(readFileSync(new URL('package-lock.json', root), 'utf8'));
const packages = Object.entries(lock.packages).filter(([, { dev }]) => dev !== true);
const { devDependencies: _, ...own } = lock.packages[''];
const shrinkwrap = { ...lock, packages: { ...Object.fromEntries(packages), '': own } };
writeFileSync(new URL('npm-shrinkwrap.json', root), `${JSON.stringify(shrinkwrap, null, 2)}\n`);
