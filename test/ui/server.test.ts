import { rm, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type DefaultTreeAdapterTypes, parse } from 'parse5';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Experiment, openContents } from '../../src/ui/contents.ts';
import { createUi } from '../../src/ui/server.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { memoryBlobs } from '../support/memory-blobs.ts';
import { type Says, temporalSays, writeStoreToShow } from './store-to-show.ts';

const root = temporaryFolder();
let store: Store;
let says: Says;
const scratch = temporaryFolder();
const errors: unknown[] = [];
const servers: ReturnType<typeof createUi>[] = [];

/** Answers about a store; the port. */
async function answering(about: Store, live = temporalSays().live): Promise<number> {
  const ui = createUi({ contents: openContents(about), live, onError: (error) => errors.push(error) });
  servers.push(ui);
  await new Promise<void>((listening) => ui.listen(0, '127.0.0.1', listening));
  return (ui.address() as AddressInfo).port;
}

type Reply = { readonly status: number; readonly headers: Record<string, unknown>; readonly text: string };

/** The path goes over the wire as it is written: `fetch` would mend it. */
function ask(
  port: number,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const asked = request({ port, host: '127.0.0.1', path, headers, method }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(parts).toString(),
        }),
      );
    });
    asked.on('error', reject);
    asked.end();
  });
}

let port = 0;
const get = (path: string) => ask(port, path);
beforeAll(async () => {
  store = await writeStoreToShow(root, { questions: 12, iterations: 2 });
  says = temporalSays();
  port = await answering(store, says.live);
});
afterAll(() => {
  for (const each of servers) {
    each.closeAllConnections();
    each.close();
  }
});

describe('the list', () => {
  it('has the experiments of the store and of Temporal, first those that have not ended', async () => {
    const names = namesIn((await get('/')).text);
    expect(names.slice(0, 3).toSorted()).toEqual(['nightly-math', 'out-of-budget', 'over-quota']);
    expect(names).toEqual(
      expect.arrayContaining(['quickstart', 'second', 'damaged', 'interrupted', 'elsewhere']),
    );
    expect(new Set(names).size).toBe(names.length);
  });

  it('says what waits for a person, and the command that helps', async () => {
    const { text } = await get('/');
    expect(text).toContain('2 waiting for you');
    expect(text).toContain('<pre>colloquy set-budget out-of-budget tokens=4000000</pre>');
  });

  it('shows a damaged experiment with what is damaged, and the others', async () => {
    const { text } = await get('/');
    expect(text).toContain(
      `${join(root, 'damaged', 'result.json')} is damaged`.replaceAll('&', '&amp;').replaceAll('"', '&quot;'),
    );
    expect(namesIn(text).length).toBeGreaterThan(8);
  });

  it('shows the others beside one whose folder cannot be looked into', async () => {
    const folder = temporaryFolder();
    await symlink(join(folder, 'in-a-circle'), join(folder, 'in-a-circle'));
    const made = openStore(folder);
    await made.blobs.replace('whole/config.json', Buffer.from('{}'));
    const at = await answering(made);
    const { status, text } = await ask(at, '/');
    expect(status).toBe(200);
    expect(namesIn(text)).toEqual(expect.arrayContaining(['in-a-circle', 'whole']));
    expect(text).toContain('ELOOP');
    expect((await ask(at, '/store/in-a-circle/')).text).toContain('ELOOP');
  });

  it('has those alone that a filter names', async () => {
    expect(namesIn((await get('/?filter=GSM8K')).text)).toEqual(['nightly-math']);
    expect(namesIn((await get('/?filter=parked')).text).toSorted()).toEqual(['out-of-budget', 'over-quota']);
    expect((await get('/?filter=%3Cscript%3E')).text).not.toContain('<script>');
  });

  it('has studies, series and schedules', async () => {
    const { text } = await get('/');
    for (const each of ['/store/studies/laptop/', '/store/series/nightly/', '2026-11-30 02:00 UTC'])
      expect(text).toContain(each);
  });

  it('shows what the store has while Temporal does not answer, and says so', async () => {
    const silent = temporalSays();
    silent.silent = 'Temporal does not answer at 127.0.0.1:7233 (refused).';
    const { text } = await ask(await answering(store, silent.live), '/');
    expect(text).toContain('Temporal does not answer at 127.0.0.1:7233 (refused).');
    expect(namesIn(text)).toEqual(expect.arrayContaining(['quickstart', 'nightly-math']));
    expect(text).toContain('not finished');
    expect(text).not.toContain('not running');
  });

  it('is in pages where there are many', async () => {
    const names = Array.from({ length: 60 }, (_, index) => `many-${index}`);
    const many = openStore(scratch, memoryBlobs(scratch));
    for (const name of names) await many.blobs.replace(`${name}/config.json`, Buffer.from('{}'));
    const at = await answering(many);
    const inPage = async (page: string) => namesIn((await ask(at, `/?filter=many-&page=${page}`)).text);
    const [first, second] = [await inPage('1'), await inPage('2')];
    expect([first.length, second.length]).toEqual([50, 10]);
    expect([...first, ...second].toSorted()).toEqual(names.toSorted());
    for (const other of ['0', '-1', 'x', '1e9']) expect((await ask(at, `/?page=${other}`)).status).toBe(200);
  });
});

describe('the page of an experiment', () => {
  it('of one that runs has its progress, the steps in flight and the accuracy so far', async () => {
    const { text } = await get('/store/nightly-math/');
    for (const each of ['144 of 320 questions', '96 of 192 answers', 'iteration 2 of 3: debating', 'McNemar'])
      expect(text).toContain(each);
  });

  it('of one that waits has the reason, made safe, and the commands', async () => {
    const { text } = await get('/store/over-quota/');
    expect(text).toContain(String.raw`\x1b[31m&lt;b>the quota`);
    expect(text).toContain('colloquy retry over-quota');
  });

  it('of a finished one has the sections of its report', async () => {
    const { text } = await get('/store/quickstart/');
    const report = (await get('/store/quickstart/report.html')).text;
    const headings = (html: string) => [...html.matchAll(/<h2 id="([^"]+)"/g)].map(([, id]) => id);
    expect(headings(report).length).toBeGreaterThan(6);
    expect(headings(text)).toEqual([...headings(report), 'from-a-terminal']);
  });

  it('of one that failed says why', async () => {
    expect((await get('/store/elsewhere/')).text).toContain('Aborted: the disk was full');
  });

  it('has debates to read, before it has finished too', async () => {
    for (const name of ['quickstart', 'nightly-math']) {
      const { status, text } = await get(`/store/${name}/debates.html`);
      expect(status).toBe(200);
      expect(text).toContain('class="debates"');
    }
  });

  it('is read again when its result is another one', async () => {
    const contents = openContents(store);
    const first = await contents.experiment('second');
    expect(await contents.experiment('second')).toBe(first);
    await rm(join(root, 'second', 'result.json.ref.json'));
    await writeFile(join(root, 'second', 'result.json'), '{}');
    const damaged = (await contents.experiment('second')) as Experiment;
    expect(damaged.problem).toContain('result.json');
  });
});

describe('other pages', () => {
  it('compare two experiments as `colloquy compare` does', async () => {
    const { text } = await get('/compare?a=quickstart&b=laptop-arithmetic-multiagent-ft-s0');
    expect(text).toContain('evaluation.jsonl');
    const same = (await get('/compare?a=quickstart&b=quickstart')).text;
    expect(same).toContain('None: the configs are equal.');
    expect(same).toContain('On 12 questions that both have');
    expect((await get('/compare?a=../x&b=%3Cb%3E')).text).not.toContain('<b>');
  });

  it('of a study has its experiments and the tables of its report', async () => {
    const { text } = await get('/store/studies/laptop/');
    for (const each of [
      'Table 1',
      'laptop-arithmetic-single-agent-s0',
      'A study of 3 experiments · 3 finished',
    ])
      expect(text).toContain(each);
  });

  it('of a series has its nights', async () => {
    const { text } = await get('/store/series/nightly/');
    for (const each of ['Night 2 of nightly: rejected', 'A series of 3 nights, 2 carried on'])
      expect(text).toContain(each);
  });
});

describe('the server', () => {
  it.each([
    ['/store/..%2f..%2fetc%2fpasswd/report.html', 404],
    ['/store/../../etc/passwd', 404],
    ['/store/%2e%2e/report.html', 404],
    ['/store/quickstart/config.json', 404],
    ['/store/quickstart/%2e%2e/second/result.json', 404],
    ['/store/models/report.html', 404],
    ['/store/studies/..%5cx/report.html', 404],
    ['/store/%00/report.html', 404],
    ['/store/%ff/', 404],
    ['/store/nobody/debates.html', 404],
    ['/store.json', 404],
    ['//evil.example/x', 404],
  ])('gives nothing for %s', async (path, status) => {
    const reply = await get(path);
    expect(reply.status).toBe(status);
    expect(reply.text).not.toMatch(/root:|formatVersion/);
  });

  it.each([
    [{ host: 'evil.example' }],
    [{ host: 'evil.example:8234' }],
    [{ host: '127.0.0.1.evil.example' }],
    [{ host: 'localhost', origin: 'https://evil.example' }],
    [{ host: 'localhost', origin: 'null' }],
  ])('refuses a page of another site: %o', async (headers) => {
    const reply = await ask(port, '/', headers);
    expect({ status: reply.status, cors: reply.headers['access-control-allow-origin'] }).toEqual({
      status: 403,
    });
    expect(reply.text).not.toContain('quickstart');
  });

  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('refuses %s', async (method) => {
    expect((await ask(port, '/', {}, method)).status).toBe(405);
  });

  it('lets nothing run in its pages but its own script, and nothing in a file of the store but that page’s own', async () => {
    const policyOf = async (path: string) => String((await get(path)).headers['content-security-policy']);
    expect(await policyOf('/')).toContain("script-src 'self';");
    expect(await policyOf('/store/quickstart/')).not.toContain("script-src 'unsafe");
    expect(await policyOf('/store/quickstart/report.html')).toMatch(/default-src 'none'; sandbox$/);
    expect(await policyOf('/store/quickstart/debates.html')).toContain(
      "default-src 'none'; sandbox allow-scripts;",
    );
  });

  it('has no script but its own in any page, whatever models and servers wrote', async () => {
    for (const path of [
      '/',
      '/store/quickstart/',
      '/store/over-quota/',
      '/compare?a=quickstart&b=quickstart',
    ]) {
      const { text } = await get(path);
      expect(
        elementsIn(parse(text))
          .filter(({ name }) => name === 'script')
          .map(({ attributes }) => attributes),
      ).toEqual([{ type: 'module', src: '/refresh.mjs' }]);
      expect(
        elementsIn(parse(text))
          .flatMap(({ attributes }) => Object.keys(attributes))
          .filter((name) => name.startsWith('on')),
      ).toEqual([]);
    }
  });

  it('sends a page again only when it has changed', async () => {
    const first = await get('/store/nightly-math/');
    const etag = String(first.headers['etag']);
    expect((await ask(port, '/store/nightly-math/', { 'if-none-match': etag })).status).toBe(304);
    says.progress.delete('nightly-math');
    expect((await ask(port, '/store/nightly-math/', { 'if-none-match': etag })).status).toBe(200);
  });

  it('shows a store in memory as it shows a folder, and writes nothing to it', async () => {
    const blobs = memoryBlobs(scratch);
    const copy = openStore(scratch, blobs);
    for (const name of await store.blobs.list(''))
      await blobs.replace(name, (await store.blobs.get(name)) ?? Buffer.alloc(0));
    const before = await blobs.list('');
    const at = await answering(copy);
    for (const path of [
      '/',
      '/store/quickstart/',
      '/store/damaged/',
      '/store/nightly-math/debates.html',
      '/store/studies/laptop/',
    ])
      expect((await ask(at, path)).status).toBe(200);
    expect(await blobs.list('')).toEqual(before);
  });

  it('has met no error of its own in all this', () => expect(errors).toEqual([]));
});

/** The names in the list of experiments, in its order. */
function namesIn(html: string): string[] {
  return [...html.matchAll(/<th scope="row"><a href="\/store\/([^/"]+)\/">/g)].map(([, name = '']) =>
    decodeURIComponent(name),
  );
}

function elementsIn(
  node: DefaultTreeAdapterTypes.Node,
): { name: string; attributes: Record<string, string> }[] {
  const below = 'childNodes' in node ? node.childNodes.flatMap(elementsIn) : [];
  if (!('tagName' in node)) return below;
  const attributes = Object.fromEntries(node.attrs.map(({ name, value }) => [name, value]));
  return [{ name: node.tagName, attributes }, ...below];
}
