/**
 * A real HTTP server that answers arithmetic at once, in a process of its own: for tests of everything but the model, and for
 * benchmarks of everything but the model's time. Its answers depend on the request alone. It speaks the terse prompts and
 * the part of vLLM's protocol that an endpoint uses; adapters are more often right than the base.
 *
 * Arguments: `--port N` (default 0), `--delay MS` (an answer's time), `--log FILE` (a line for each request), `--right 0.55`.
 * Prints `{"port": N}`; ends with its standard input.
 */
import { createHash } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    delay: { type: 'string', default: '0' },
    log: { type: 'string' },
    right: { type: 'string', default: '0.55' },
  },
});
const base = 'instant';
const delay = Number(values.delay);
const adapters = new Map();
let status = 200;
let right = Number(values.right);

const server = createServer((request, response) => {
  let text = '';
  request.setEncoding('utf8');
  request.on('data', (chunk) => (text += chunk));
  request.on('end', () => {
    const [code, body] = handle(request.url, text === '' ? {} : JSON.parse(text));
    const send = () =>
      response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (request.url === '/v1/chat/completions' && delay > 0) setTimeout(send, delay);
    else send();
  });
});
server.keepAliveTimeout = 60_000;
server.listen(Number(values.port), '127.0.0.1', () =>
  process.stdout.write(`${JSON.stringify({ port: server.address().port })}\n`),
);
process.stdin.on('end', () => process.exit(0)).resume();

function handle(url, body) {
  if (url === '/health') return [200, {}];
  if (url === '/v1/models') return [200, { data: [base, ...adapters.keys()].map((id) => ({ id })) }];
  if (url === '/status') {
    status = body.status ?? status;
    right = body.right ?? right;
    return [200, {}];
  }
  if (url === '/v1/load_lora_adapter') {
    adapters.set(body.lora_name, body.lora_path);
    return [200, 'loaded'];
  }
  if (url === '/v1/unload_lora_adapter') return [adapters.delete(body.lora_name) ? 200 : 404, {}];
  if (url !== '/v1/chat/completions') return [404, error(404, `no ${url}`)];
  if (status !== 200) return [status, error(status, 'told to refuse')];
  if (body.model !== base && !adapters.has(body.model))
    return [404, error(404, `The model ${body.model} does not exist.`)];
  if (values.log && !('prompt_logprobs' in body))
    appendFileSync(values.log, `${digest([body.model, body.messages, body.seed])}\n`);
  const content = answer(body);
  return [
    200,
    {
      choices: [{ message: { role: 'assistant', content }, finish_reason: 'stop' }],
      usage: { prompt_tokens: JSON.stringify(body.messages).length, completion_tokens: content.length },
      ...('prompt_logprobs' in body
        ? { prompt_logprobs: [null, { 1: { logprob: -parseInt(digest(body.model).slice(0, 6), 16) } }] }
        : {}),
    },
  ];
}

function answer({ model, messages, seed }) {
  const question = messages[0].content;
  if (question.startsWith('?'))
    return [...question.matchAll(/\\boxed\{(-?\d+)\}/g)].map((match) => match[1]).join(',');
  const value = valueOf(question);
  const chance = parseInt(digest([messages, seed]).slice(0, 8), 16) / 2 ** 32;
  const sure = right + (model === base ? 0 : 0.2) + (messages.length > 1 ? 0.15 : 0);
  const slip = chance < sure ? 0 : 1 + (Math.floor(chance * 1e6) % 3);
  return `${question}=${value + slip};\\boxed{${value + slip}}`;
}

/** Of sums of products, e.g. `12+3*8-5`. */
function valueOf(question) {
  const products = question.split(/(?=[+-])/).map((term) =>
    term
      .split('*')
      .map(Number)
      .reduce((a, b) => a * b),
  );
  return products.reduce((a, b) => a + b);
}

function digest(value) {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

function error(code, message) {
  return { error: { message, type: 'TestError', code } };
}
