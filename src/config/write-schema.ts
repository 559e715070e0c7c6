/**
 * Writes what is made from the schemas: configs/schema.json and configs/studies/schema.json, which editors read to complete and check
 * configs, and docs/configuration.md. `npx tsx src/config/write-schema.ts`
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './installation.ts';
import { configJsonSchema, configurationPage, studyJsonSchema } from './page.ts';

writeFileSync(join(projectRoot, 'configs', 'schema.json'), json(configJsonSchema()));
writeFileSync(join(projectRoot, 'configs', 'studies', 'schema.json'), json(studyJsonSchema()));
writeFileSync(join(projectRoot, 'docs', 'configuration.md'), configurationPage());

function json(schema: object): string {
  return `${JSON.stringify(schema, null, 2)}\n`;
}
