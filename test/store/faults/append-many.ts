/** Appends `count` entries under `name`, eight at a time, and prints each key once its append has resolved. */
import { openJournal } from '../../../src/store/journal.ts';

const [path = '', name = '', count = ''] = process.argv.slice(2);
const journal = await openJournal(path);
process.stdout.write('open\n');
let next = 0;
const appendSome = async () => {
  while (next < Number(count)) {
    const key = `${name}-${next++}`;
    // Longer than what a pipe would write at once, and than a page.
    await journal.append(key, { key, text: 'x'.repeat(5000) });
    process.stdout.write(`${key}\n`);
  }
};
await Promise.all(Array.from({ length: 8 }, appendSome));
await journal.close();
