/**
 * `node examples/own-scorer/make-questions.mjs` writes train.jsonl and test.jsonl beside this file: sums of a till, whose answer is a range. A count that is off
 * by one coin is still right.
 */
import { writeFileSync } from 'node:fs';

const rows = [];
// Every 61st of the 9,216 sums of the form.
for (let sum = 0; sum < 9216; sum += 61) {
  const [till, things] = [2 + (sum % 18), 2 + (Math.floor(sum / 18) % 8)];
  const [price, back] = [2 + (Math.floor(sum / 144) % 8), 2 + (Math.floor(sum / 1152) % 8)];
  const total = till + things * price - back;
  rows.push({ question: `${till}+${things}*${price}-${back}`, answer: `${total - 1} to ${total + 1}` });
}
const text = (some) => some.map((row) => `${JSON.stringify(row)}\n`).join('');
// Every fifth is for training.
writeFileSync(new URL('train.jsonl', import.meta.url), text(rows.filter((_, at) => at % 5 === 0)));
writeFileSync(new URL('test.jsonl', import.meta.url), text(rows.filter((_, at) => at % 5 !== 0)));
