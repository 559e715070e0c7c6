/** Tries to write each kind of artifact into a folder and prints the names of the errors as JSON. */
import { join } from 'node:path';
import { writeDocument } from '../../../src/store/files/documents.ts';
import { openJournal } from '../../../src/store/files/journal.ts';
import { writeRows } from '../../../src/store/files/rows.ts';
import { placeAt } from '../../support/places.ts';

const [folder = ''] = process.argv.slice(2);
const attempts = [
  writeRows(placeAt(join(folder, 'rows')), []),
  writeRows(placeAt(join(folder, 'new', 'rows')), []),
  writeDocument(placeAt(join(folder, 'document')), {}),
  openJournal(join(folder, 'journal')),
];
const results = await Promise.allSettled(attempts);
const outcomes = results.map((result) =>
  result.status === 'rejected' && result.reason instanceof Error ? result.reason.name : 'written',
);
process.stdout.write(JSON.stringify(outcomes));
