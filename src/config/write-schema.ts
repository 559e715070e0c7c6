/**
 * Writes the files that are generated from the schemas: configs/schema.json and configs/studies/schema.json (editors use them to complete
 * and check configs), docs/configuration.md, and the contract with Python. Run: `npx tsx src/config/write-schema.ts`
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './installation.ts';
import { configJsonSchema, configurationPage, contractJsonSchema, studyJsonSchema } from './page.ts';

writeFileSync(join(projectRoot, 'configs', 'schema.json'), json(configJsonSchema()));
writeFileSync(join(projectRoot, 'configs', 'studies', 'schema.json'), json(studyJsonSchema()));
writeFileSync(join(projectRoot, 'docs', 'configuration.md'), configurationPage());
writeFileSync(
  join(projectRoot, 'engine', 'colloquy_engine', 'protocol', 'contract.json'),
  json(contractJsonSchema()),
);

function json(schema: object): string {
  return `${JSON.stringify(schema, null, 2)}\n`;
}
