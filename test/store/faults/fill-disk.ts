/**
 * Runs in a folder with little room: writes rows, a document and a journal, first small and then too big, and prints the results as
 * JSON. `ballast` is a file that uses room, which is free again when the file is removed (an empty name: there is no such file).
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { readDocument, writeDocument } from '../../../src/store/files/documents.ts';
import { openJournal } from '../../../src/store/files/journal.ts';
import { findRows, writeRows } from '../../../src/store/files/rows.ts';
import { placeAt } from '../../support/places.ts';

const [folder = '', ballast = ''] = process.argv.slice(2);
const path = (name: string) => join(folder, name);
const failure = async (attempt: Promise<unknown>) =>
  attempt.then(String, (error: unknown) => (error instanceof Error ? error.name : error));
const big = 'x'.repeat(200_000);

await writeRows(placeAt(path('rows')), [{ n: 1 }]);
await writeDocument(placeAt(path('document')), { n: 1 });
const journal = await openJournal(path('journal'));
journal.append('small', 1);

// Async, so that its error is a rejection like those of the others.
const append = async (key: string, value: unknown) => journal.append(key, value);

const rows = await failure(writeRows(placeAt(path('rows')), [{ big }, { big }]));
const document = await failure(writeDocument(placeAt(path('document')), { big }));
const appended = await failure(append('big', big));
const before = journal.get('big') === undefined;
if (ballast !== '') rmSync(ballast);
const again = ballast === '' ? 'not tried' : await failure(append('after', 2));
journal.close();

const reopened = await openJournal(path('journal'), () => {});
const report = {
  rows,
  document,
  append: appended,
  notInJournal: before,
  again,
  intactRows: (await findRows(placeAt(path('rows')), () => {}))?.rows,
  intactDocument: await readDocument(placeAt(path('document')), z.object({ n: z.int() })),
  small: reopened.get('small'),
  after: reopened.get('after'),
  leftOver: readdirSync(folder).filter((name) => name.endsWith('.tmp')),
};
process.stdout.write(JSON.stringify(report));
