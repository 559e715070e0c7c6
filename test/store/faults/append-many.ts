/** Appends `count` entries under `name`, and prints each key once it is appended. */
import { openJournal } from '../../../src/store/files/journal.ts';

const [path = '', name = '', count = ''] = process.argv.slice(2);
const journal = await openJournal(path);
process.stdout.write('open\n');
for (let next = 0; next < Number(count); next++) {
  const key = `${name}-${next}`;
  // Longer than what a pipe would write at once, and than a page.
  journal.append(key, { key, text: 'x'.repeat(5000) });
  process.stdout.write(`${key}\n`);
}
journal.close();
