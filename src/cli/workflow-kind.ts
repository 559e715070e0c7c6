/** The workflows that have a name of their own. Both take it from the same set: a name is one or the other. */
export type WorkflowKind = 'experiment' | 'study';

/** @throws OtherKind */
export function requireKind(name: string, { type }: { readonly type: string }, wanted: WorkflowKind): void {
  if (type !== wanted) throw new OtherKind(name, type, wanted);
}

/** A name that was meant for one kind of workflow is that of another. */
export class OtherKind extends Error {
  override name = 'OtherKind' as const;

  constructor(name: string, found: string, wanted: WorkflowKind) {
    super(
      `"${name}" is ${article(found)}, not ${article(wanted)}. ` +
        (found === 'study'
          ? `\`colloquy status ${name}\` lists its experiments, which have names of their own.`
          : `Give ${article(wanted)} another name (name=…).`),
    );
  }
}

function article(kind: string): string {
  return `${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}`;
}
