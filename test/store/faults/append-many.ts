/** Appends `count` entries under `name`, and prints each key after its entry is appended. */
import { openJournal } from '../../../src/store/files/journal.ts';

const [path = '', name = '', count = ''] = process.argv.slice(2);
const journal = await openJournal(path);
process.stdout.write('open\n');
for (let next = 0; next < Number(count); next++) {
  const key = `${name}-${next}`;
  // Longer than a pipe's atomic write, and than a page.
  journal.append(key, { key, text: 'x'.repeat(5000) });
  process.stdout.write(`${key}\n`);
}
journal.close();
