/**
 * What is generated from the schemas: the JSON Schemas of experiments and studies (editors use them to complete and check configs), the page
 * of all settings, and the contract with Python. Run: `npx tsx src/config/write-schema.ts`
 */
import { realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { projectRoot } from './installation.ts';
import { markdownTable, tableCell } from '../text/safe-text.ts';
import * as contract from './contract.ts';
import * as server from './server-contract.ts';
import { experimentConfigSchema } from './experiment.ts';
import { describeAllowed, type SchemaNode, schemaNode } from './faults.ts';
import { experimentNameSchema } from './names.ts';
import { configFormat, switchable } from './resolve.ts';
import { studyConfigSchema } from './study.ts';

/** docs/configuration.md: every setting of an experiment and of a study. */
export function configurationPage(): string {
  return [
    '# Configuration',
    'Generated from the schema by `npx tsx src/config/write-schema.ts`; do not edit it by hand. Editors complete and check configs with [configs/schema.json](../configs/schema.json).',
    'Every setting may be omitted. It then has the value of the `preset` (default: `quickstart`), and otherwise the default in this table, which is the paper’s wherever the paper has one. On the command line: `key=value`, `task.train_size=100`.',
    '`format: 1` may stand in a file, as `colloquy init` writes it. A version that does not know the format of a config refuses it ([operating.md](operating.md#versions-and-formats)).',
    'An object that is *not there* by default has no effect until you name it, and the defaults of its settings hold only then: `guard: {}` is a guard with all its defaults.',
    '## An experiment',
    table(experimentConfigSchema),
    '## A study',
    'A file of configs/studies, or `{"preset": "laptop"}` and the keys that replace those of the preset.',
    table(studyConfigSchema),
    '',
  ].join('\n\n');
}

type SettingRow = {
  readonly path: string;
  readonly allowed: string;
  readonly fallback: string;
  readonly meaning: string;
};

function table(schema: z.ZodType): string {
  const describe = describedNode(schema);
  const rows = rowsOf(schemaNode(schema), describe, '');
  return markdownTable(
    ['Setting', 'Allowed', 'Default', 'Meaning'],
    rows.map(({ path, allowed, fallback, meaning }) => [
      `\`${path}\``,
      tableCell(allowed),
      tableCell(fallback),
      tableCell(meaning),
    ]),
  );
}

/** The descriptions and defaults in a JSON Schema. */
const describedSchema = z.object({
  description: z.string().optional(),
  default: z.unknown().optional(),
  get properties() {
    return z.record(z.string(), describedSchema).optional();
  },
  get oneOf() {
    return z.array(describedSchema).optional();
  },
});
type Described = z.infer<typeof describedSchema>;

function describedNode(schema: z.ZodType): Described {
  return describedSchema.parse(z.toJSONSchema(schema, { io: 'input', target: 'draft-7' }));
}

function rowsOf(node: SchemaNode, described: Described, above: string): SettingRow[] {
  return Object.entries(node.properties ?? {}).flatMap(([key, below]): SettingRow[] => {
    const belowDescribed = described.properties?.[key] ?? {};
    const path = above === '' ? key : `${above}.${key}`;
    if (below.properties !== undefined) {
      const rows = rowsOf(below, belowDescribed, path);
      // The defaults of the settings below it hold only where it is there.
      const absent = above === '' && optional.includes(key);
      return absent ? [{ ...rowOf(path, below, belowDescribed), fallback: 'not there' }, ...rows] : rows;
    }
    const alternatives = (below.oneOf ?? []).filter(({ properties }) => properties !== undefined);
    if (alternatives.length === 0) return [rowOf(path, below, belowDescribed)];
    return alternatives.flatMap((alternative, index) => {
      const kind = String(alternative.properties?.['kind']?.const ?? index + 1);
      const own = belowDescribed.oneOf?.[index] ?? {};
      return [
        { path: `${path}.kind: ${kind}`, allowed: '', fallback: '', meaning: own.description ?? '' },
        ...rowsOf(alternative, own, path).filter((row) => row.path !== `${path}.kind`),
      ];
    });
  });
}

/** The settings of an experiment that have others below them and may be absent. */
const optional = Object.entries({ ...studyConfigSchema.shape, ...experimentConfigSchema.shape })
  .filter(([, schema]) => schema instanceof z.ZodOptional)
  .map(([key]) => key);

function rowOf(path: string, node: SchemaNode, described: Described): SettingRow {
  const fallback = described.default === undefined ? '' : `\`${JSON.stringify(described.default)}\``;
  return { path, allowed: describeAllowed(node), fallback, meaning: described.description ?? '' };
}

/**
 * The JSON Schema of a config FILE, in draft 7, which editors support best. Nothing is required, because a preset or the paper's settings
 * give what the file omits.
 */
export function configJsonSchema(): object {
  const fileSchema = z.strictObject({
    preset: z
      .string()
      .default('quickstart')
      .describe(
        'A file of configs/, without its ending. The settings of this file replace those of the preset.',
      ),
    name: experimentNameSchema.optional(),
    format,
    ...Object.fromEntries(
      Object.entries(experimentConfigSchema.shape).map(([key, schema]) => [
        key,
        switchable.has(key) ? orNull(schema) : schema,
      ]),
    ),
  });
  return draft7(fileSchema);
}

/** null switches the setting off. */
function orNull(schema: z.ZodType): z.ZodType {
  return schema.nullable().describe(schema.description ?? '');
}

const format = z
  .int()
  .min(1)
  .max(configFormat)
  .optional()
  .describe(
    'The format of the config, which a newer version may change: docs/operating.md. Default: that of this version.',
  );

/** The JSON Schema of a study's FILE. */
export function studyJsonSchema(): object {
  const preset = z
    .string()
    .optional()
    .describe(
      'A file of configs/studies/, without its ending. The keys of this file replace those of the preset.',
    );
  return draft7(z.strictObject({ preset, format, ...studyConfigSchema.shape }));
}

function draft7(schema: z.ZodType): object {
  return z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-7',
    override: ({ jsonSchema }) => {
      delete jsonSchema.required;
      // Without required keys a partial task fits several alternatives, which oneOf would refuse.
      if (jsonSchema.oneOf !== undefined) {
        jsonSchema.anyOf = jsonSchema.oneOf;
        delete jsonSchema.oneOf;
      }
    },
  });
}

/**
 * engine/colloquy_engine/protocol/contract.json: the messages of contract.ts and server-contract.ts, grouped by the program that reads or writes them, under the
 * names of the Python classes. Python has one class for all requests to a path, and one for all answers.
 */
export function contractJsonSchema(): object {
  const written = (schema: z.ZodType): object => message(schema, 'output');
  const read = (schema: z.ZodType): object => message(schema, 'input');
  return {
    $comment:
      'Written by npx tsx src/config/write-schema.ts from src/config/contract.ts and server-contract.ts; do not edit it by hand.',
    trainer_reads: {
      TrainingJob: written(contract.trainerJobSchema),
      StopJob: written(contract.stopJobSchema),
      RayJob: written(contract.rayJobSchema),
    },
    trainer_writes: {
      TrainerEvent: read(contract.trainerEventSchema),
      Manifest: read(contract.fineTuneManifestSchema),
    },
    server_reads: {
      ChatRequest: written(
        z.union([server.chatRequestSchema, server.scoreRequestSchema, server.canaryRequestSchema]),
      ),
      LoadAdapter: written(server.loadAdapterSchema),
      UnloadAdapter: written(server.unloadAdapterSchema),
      CheckTraining: written(server.checkTrainingSchema),
    },
    server_writes: {
      ServerReady: read(server.serverReadySchema),
      ServerRefuses: read(server.serverRefusesSchema),
      ChatCompletion: read(server.chatAnswerSchema.extend(server.scoreAnswerSchema.shape)),
      ModelList: read(server.modelListSchema),
      TrainingChecked: read(server.trainingCheckedSchema),
      ErrorAnswer: read(server.errorAnswerSchema),
    },
  };
}

/** Leaves out what only TypeScript has: descriptions, the defaults that a writer has filled in, and the limits of its numbers. */
function message(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _, ...json } = z.toJSONSchema(schema, {
    io,
    override: ({ jsonSchema }) => {
      for (const key of ['default', 'description', 'readOnly', 'propertyNames'] as const)
        delete jsonSchema[key];
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  return json;
}

function json(schema: object): string {
  return `${JSON.stringify(schema, null, 2)}\n`;
}

const ranAsProgram =
  process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url);
if (ranAsProgram) {
  writeFileSync(join(projectRoot, 'configs', 'schema.json'), json(configJsonSchema()));
  writeFileSync(join(projectRoot, 'configs', 'studies', 'schema.json'), json(studyJsonSchema()));
  writeFileSync(join(projectRoot, 'docs', 'configuration.md'), configurationPage());
  writeFileSync(
    join(projectRoot, 'engine', 'colloquy_engine', 'protocol', 'contract.json'),
    json(contractJsonSchema()),
  );
}
