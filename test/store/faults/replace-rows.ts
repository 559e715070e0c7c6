/** Replaces a table again and again, in turns by one row and by 300 rows, and prints a line each time. Never ends. */
import { writeRows } from '../../../src/store/files/rows.ts';
import { placeAt } from '../../support/places.ts';

const [path = ''] = process.argv.slice(2);
const rows = Array.from({ length: 300 }, (_, n) => ({ n, text: 'x'.repeat(5000) }));
for (;;) {
  await writeRows(placeAt(path), rows.slice(0, 1));
  await writeRows(placeAt(path), rows);
  process.stdout.write('replaced\n');
}
