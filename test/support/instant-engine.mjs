/**
 * A real HTTP server that answers arithmetic at once, in a process of its own: for tests of everything but the model, and for
 * benchmarks of everything but the model's time. Its answers depend on the request alone. It speaks the terse prompts and
 * the part of vLLM's protocol that an endpoint uses; adapters are more often right than the base. A character is a token, and so is the end
 * of an answer: one that has no room for its end within max_tokens is cut off, as its finish_reason says.
 *
 * Arguments: `--port N` (default 0), `--delay MS` (an answer's time), `--log FILE` (a line for each answer), `--asked FILE` (a line of JSON for
 * each answer: the base model, the model that is asked, its temperature, and whether it summarises), `--right 0.55`. In place of
 * engine/serve.py, it also has `--served-model-name NAME`, which it adds to the file `--starts FILE`; the name of a whole fine-tuned model
 * is its folder.
 * Prints a line with the port; ends with its standard input. Told by POST /control:
 *   {"status": 403}                            refuse every question; 200 answers again
 *   {"hold": {"after", "round", "fineTuned"}}  after so many answers, let questions of that round (to fine-tuned models) wait
 *   {"release": true}                          answer what waits, hold no more
 *   {"fault": "reset", "times": 3}             spoil the next answers in one of the ways of `spoilt`
 *   {"right": 0.1}                             how often the base is right; fine-tuned models a little more
 *   {"bad": {"from": 6, "to": 12}}           never right: of the adapters that are first loaded from now on, those with these numbers
 *   {"revision": -0.5}                        how much likelier an answer of a later round is right; default 0.15
 *   {"delay": 40}                              milliseconds that an answer takes
 *   {"forget": true}                           lose all adapters, as a server that started again
 * GET /control returns {"answered", "held", "spoilt"}.
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
    asked: { type: 'string' },
    right: { type: 'string', default: '0.55' },
    starts: { type: 'string' },
    model: { type: 'string' },
    'served-model-name': { type: 'string', default: 'instant' },
    'exit-with-parent': { type: 'boolean' },
  },
});
const base = values['served-model-name'];
if (values.starts) appendFileSync(values.starts, `${base}\n`);
let delay = Number(values.delay);
const adapters = new Map();
let baseRight = Number(values.right);
let revision = 0.15;
let bad;
let loaded = [];
let status = 200;
let hold;
let fault;
let held = [];
let answered = 0;
let spoiltCount = 0;

const server = createServer((request, response) => {
  let text = '';
  request.setEncoding('utf8');
  request.on('data', (chunk) => (text += chunk));
  request.on('end', () => {
    const body = text === '' ? {} : JSON.parse(text);
    if (request.url !== '/v1/chat/completions' || 'prompt_logprobs' in body || body.logprobs || isProbe(body))
      return send(response, handle(request, body));
    if (status !== 200) return send(response, [status, error(status, 'told to refuse')]);
    if (isHeld(body)) return wait(body, response);
    if (fault !== undefined) return spoil(body, response);
    reply(body, response);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(Number(values.port), '127.0.0.1', () =>
  process.stdout.write(`${JSON.stringify({ event: 'ready', port: server.address().port })}\n`),
);
process.stdin.on('end', () => process.exit(0)).resume();

function handle(request, body) {
  const { url } = request;
  if (url === '/health') return [200, {}];
  if (url === '/control') return [200, request.method === 'POST' ? control(body) : told()];
  if (url === '/health') return [200, {}];
  if (url === '/v1/models') return [200, { data: [base, ...adapters.keys()].map((id) => ({ id })) }];
  if (url === '/v1/load_lora_adapter') {
    adapters.set(body.lora_name, body.lora_path);
    if (!loaded.includes(body.lora_name)) loaded.push(body.lora_name);
    return [200, 'loaded'];
  }
  if (url === '/v1/check_training') return [200, { modules: 1 }];
  if (url === '/v1/unload_lora_adapter') return [adapters.delete(body.lora_name) ? 200 : 404, {}];
  if (url !== '/v1/chat/completions') return [404, error(404, `no ${url}`)];
  return completion(body);
}

/** A request of the preparation, which no test counts. */
function isProbe(body) {
  return body.max_tokens <= 8;
}

function control(told) {
  status = told.status ?? status;
  baseRight = told.right ?? baseRight;
  revision = told.revision ?? revision;
  if (told.bad) [bad, loaded] = [told.bad, []];
  delay = told.delay ?? delay;
  if (told.forget) adapters.clear();
  if (told.hold) hold = told.hold;
  if (told.fault) fault = { kind: told.fault, times: told.times ?? 1 };
  if (told.release) {
    hold = undefined;
    for (const { body, response } of held.splice(0)) reply(body, response, true);
  }
  return {};
}

function told() {
  return { answered, held: held.length, spoilt: spoiltCount };
}

function isHeld({ model, messages }) {
  if (hold === undefined || answered < (hold.after ?? 0)) return false;
  const round = messages.filter(({ role }) => role === 'user').length;
  return (hold.round ?? round) === round && (hold.fineTuned ?? model !== base) === (model !== base);
}

function wait(body, response) {
  note(body);
  const waiting = { body, response };
  held.push(waiting);
  response.on('close', () => (held = held.filter((each) => each !== waiting)));
}

/** Each way of spoiling an answer; the model's text itself is never changed, so that a second try gives the same as always. */
const spoilt = {
  busy: (_, response) => send(response, [429, error(429, 'rate limit')], { 'retry-after': '1' }),
  overloaded: (_, response) => send(response, [503, error(503, 'overloaded')], { 'retry-after': '1' }),
  failed: (_, response) => send(response, [500, error(500, 'CUDA error: an illegal memory access')]),
  reset: (body, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100000' });
    response.write(JSON.stringify(completion(body)[1]).slice(0, 20), () => response.destroy());
  },
  'no JSON': (_, response) => response.writeHead(200).end('<html>Bad gateway</html>'),
  'another model': (body, response) =>
    send(response, [200, { ...completion(body)[1], model: 'somebody-elses-model' }]),
  'no choices': (_, response) => send(response, [200, { choices: [] }]),
  'invalid UTF-8': (body, response) =>
    response
      .writeHead(200)
      .end(
        Buffer.concat([
          Buffer.from('{"choices":[{"message":{"content":"'),
          Buffer.from([0xff, 0xfe]),
          Buffer.from('"}}]}'),
        ]),
      ),
  slow: (body, response) => setTimeout(() => reply(body, response), 3_000),
};

function spoil(body, response) {
  const { kind } = fault;
  spoiltCount += 1;
  fault.times -= 1;
  if (fault.times <= 0) fault = undefined;
  spoilt[kind](body, response);
}

function reply(body, response, noted = false) {
  const [code, content] = completion(body);
  if (code === 200) answered += 1;
  if (code === 200 && !noted) note(body);
  if (delay > 0) setTimeout(() => send(response, [code, content]), delay);
  else send(response, [code, content]);
}

function note(body) {
  if (values.asked) {
    const { model, temperature, messages } = body;
    const summarises = messages[0].content.startsWith('?');
    appendFileSync(values.asked, `${JSON.stringify({ base, model, temperature, summarises })}\n`);
  }
  if (values.log) appendFileSync(values.log, `${digest([body.model, body.messages, body.seed])}\n`);
}

function completion(body) {
  if (body.model !== base && !adapters.has(body.model))
    return [404, error(404, `The model ${body.model} does not exist.`)];
  const whole = answer(body);
  const content = whole.slice(0, body.max_tokens);
  const finishReason = whole.length < body.max_tokens ? 'stop' : 'length';
  return [
    200,
    {
      model: body.model,
      choices: [{ message: { role: 'assistant', content }, finish_reason: finishReason, ...canary(body) }],
      usage: { prompt_tokens: JSON.stringify(body.messages).length, completion_tokens: content.length },
      ...('prompt_logprobs' in body
        ? { prompt_logprobs: [null, { 1: { logprob: -parseInt(digest(body.model).slice(0, 6), 16) } }] }
        : {}),
    },
  ];
}

/** The same for each answer of a model, and another for each model. */
function canary({ model, logprobs }) {
  if (!logprobs) return {};
  const logprob = -parseInt(digest(model).slice(0, 6), 16);
  return { logprobs: { content: [{ token: '1', logprob, top_logprobs: [] }] } };
}

function answer({ model, messages, seed }) {
  const question = messages[0].content;
  if (question.startsWith('?'))
    return [...question.matchAll(/\\boxed\{(-?\d+)\}/g)].map((match) => match[1]).join(',');
  const value = valueOf(question);
  const chance = parseInt(digest([messages, seed]).slice(0, 8), 16) / 2 ** 32;
  const right = isBad(model)
    ? 0
    : baseRight +
      (model === base && !/[0-9a-f]{64}$/.test(base) ? 0 : 0.2) +
      (messages.length > 1 ? revision : 0);
  const slip = chance < right ? 0 : 1 + (Math.floor(chance * 1e6) % 3);
  return `${question}=${value + slip};\\boxed{${value + slip}}`;
}

function isBad(model) {
  const number = loaded.indexOf(model);
  return bad !== undefined && number >= bad.from && number < bad.to;
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

function send(response, [code, body], headers = {}) {
  response.writeHead(code, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

function digest(value) {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

function error(code, message) {
  return { error: { message, type: 'TestError', code } };
}
