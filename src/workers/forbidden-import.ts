/** Something that the workflow's code imports has no place in its bundle. */
export class ForbiddenImport extends Error {
  override name = 'ForbiddenImport' as const;
  readonly imports: readonly ForbiddenModule[];

  constructor(imports: readonly ForbiddenModule[]) {
    const lines = imports.map(({ module, importer }) => `  ${module}, imported by ${importer}`);
    super(
      `The workflow bundle would hold what is not deterministic or too big for each workflow's memory:\n${lines.join('\n')}\n` +
        'Use `import type` where only the type is needed; anything else belongs in an activity.',
    );
    this.imports = imports;
  }
}

export type ForbiddenModule = {
  /** As the import names it, e.g. `zod` or `node:fs`. */
  readonly module: string;
  /** The file that imports it, below the project's folder. */
  readonly importer: string;
};
