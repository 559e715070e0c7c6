/** Writes configs/schema.json, which editors read to complete and check configs: `npx tsx src/config/write-schema.ts`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configJsonSchema } from './config-json-schema.ts';
import { projectRoot } from './project-root.ts';

writeFileSync(
  join(projectRoot, 'configs', 'schema.json'),
  `${JSON.stringify(configJsonSchema(), null, 2)}\n`,
);
