/** Replaces one table by turns with one row and with 300 rows, for ever, and prints a line each time. */
import { writeRows } from '../../../src/store/files/rows.ts';

const [path = ''] = process.argv.slice(2);
const rows = Array.from({ length: 300 }, (_, n) => ({ n, text: 'x'.repeat(5000) }));
for (;;) {
  await writeRows(path, rows.slice(0, 1));
  await writeRows(path, rows);
  process.stdout.write('replaced\n');
}
