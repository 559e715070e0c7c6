/**
 * `node examples/own-questions/make-questions.mjs [SEED]` writes train.jsonl and test.jsonl beside this file: what is in a shop's till after a sale
 * and a refund, as sums that the embedded model can read. One seed always gives the same files.
 *
 * Yours may come from anywhere: a line is {"question": …, "answer": …}.
 */
import { writeFileSync } from 'node:fs';

const seed = Number(process.argv[2] ?? 1);
const random = randomNumbers(seed);
const between = (least, most) => least + Math.floor(random() * (most - least + 1));

const questions = new Map();
while (questions.size < 400) {
  // Coins in the till, so many things sold at such a price, coins given back.
  const [till, things, price, back] = [between(2, 19), between(2, 9), between(2, 9), between(2, 9)];
  questions.set(`${till}+${things}*${price}-${back}`, till + things * price - back);
}

const lines = [...questions].map(([question, answer]) => `${JSON.stringify({ question, answer })}\n`);
write('train.jsonl', lines.slice(0, 200));
write('test.jsonl', lines.slice(200));

function write(name, rows) {
  writeFileSync(new URL(name, import.meta.url), rows.join(''));
  console.log(`${name}: ${rows.length} questions, the first: ${rows[0].trim()}`);
}

/** Numbers from 0 to 1 that follow from the seed (mulberry32). */
function randomNumbers(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
