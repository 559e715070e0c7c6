/** An export was to be written where something is that no export has made: it is left as it is. */
export class ExportFolderTaken extends Error {
  override name = 'ExportFolderTaken' as const;
  /** Absolute. */
  readonly path: string;

  /** @param what is wrong with it, e.g. `holds notes.txt, which no export has written` */
  constructor(path: string, what: string) {
    super(`${path} ${what}. Nothing was changed: name another folder with --output, or move this one away.`);
    this.path = path;
  }
}
