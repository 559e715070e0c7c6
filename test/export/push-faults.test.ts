import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { errorOf } from '../support/error-of.ts';
import { push, pushed, pushRig, repo, sha256, token } from './push-rig.ts';

const { hub, filesOf, textOf, commitsOf, sends, failing, anExport } = await pushRig();

describe('a bad moment of the hub', () => {
  it.each([
    ['a rate limit', /commit/, { status: 429, headers: { 'Retry-After': '0' } }],
    ['a rate limit in its own header', /preupload/, { status: 429, headers: { RateLimit: '"api";r=0;t=0' } }],
    ['an error of the server in the middle', /PUT/, { status: 503, headers: { 'Retry-After': '0' } }],
    ['a line cut in the middle of an upload', /PUT/, 'cut'],
    ['an answer to a commit that is lost', /commit/, 'lost'],
    ['an answer to the making of the repository that is lost', /create/, 'lost'],
  ] as const)('does no harm: %s', async (_, pattern, fault) => {
    failing(pattern, 1, fault);
    expect(await push('done', '--repo', repo)).toMatchObject({ code: 0 });
    expect(commitsOf()).toHaveLength(2);
    expect(textOf('agent-1-critic/adapter_model.safetensors')).toBe('weights of agent 1');
  });

  it('that lasts ends the push with what to do; given again, it goes on with what has not arrived', async () => {
    const badly = { status: 503, headers: { 'Retry-After': '0' } };
    hub.fault = (request) => (request.includes(sha256('weights of agent 2')) ? badly : undefined);
    const { code, err } = await push('done', '--repo', repo);
    expect({ code, err }).toMatchObject({
      code: 1,
      err: expect.stringContaining('Give the command again: large files that have arrived'),
    });
    expect([...hub.large.keys()]).toEqual([sha256('weights of agent 1')]);
    expect(commitsOf()).toHaveLength(1);
    hub.fault = () => undefined;
    hub.asked.splice(0);
    expect((await push('done', '--repo', repo)).code).toBe(0);
    const uploads = sends().filter((each) => each.startsWith('PUT'));
    expect(uploads.length).toBeGreaterThan(0);
    for (const each of uploads) expect(each).toContain(sha256('weights of agent 2'));
  });

  it('with nobody there is told at once', async () => {
    const url = await addressOfNobody();
    vi.stubEnv('HF_ENDPOINT', url);
    expect(await push('done', '--repo', repo)).toMatchObject({
      code: 1,
      err: expect.stringContaining(`${url} could not be used`),
    });
  });
});

describe('others who commit at the same time', () => {
  it('keep their commits: what is there is read again', async () => {
    let others = 2;
    hub.fault = (request) => {
      if (request.includes('/commit/') && others-- > 0)
        hub.put(`models/${repo}`, { [`note-${others}.md`]: 'theirs' });
      return undefined;
    };
    expect((await push('done', '--repo', repo)).code).toBe(0);
    expect([textOf('note-0.md'), textOf('note-1.md')]).toEqual(['theirs', 'theirs']);
    expect(filesOf().has('agent-1-critic/adapter_model.safetensors')).toBe(true);
  });

  it('and change the same file keep it', async () => {
    await push('done', '--repo', repo);
    hub.fault = (request) => {
      if (request.includes('/commit/')) hub.put(`models/${repo}`, { 'README.md': 'theirs' });
      return undefined;
    };
    const { code, err } = await push('done', '--repo', repo, '--iteration', '1');
    expect({ code, err }).toMatchObject({
      code: 1,
      err: expect.stringContaining('README.md of ada/sums was changed there since'),
    });
    expect(textOf('README.md')).toBe('theirs');
  });

  it('are told of when they never pause', async () => {
    let commits = 0;
    hub.fault = (request) => {
      if (request.includes('/commit/')) hub.put(`models/${repo}`, { 'note.md': String(++commits) });
      return undefined;
    };
    expect((await push('done', '--repo', repo)).err).toContain(
      'Others commit to ada/sums all the time: 5 attempts',
    );
    expect(commits).toBe(5);
  });

  it('may be the same push: both end well, with one commit', async () => {
    const folder = await anExport({ 'README.md': 'hello', 'weights.safetensors': 'w' });
    const both = await Promise.all([pushed(folder), pushed(folder)]);
    expect(new Set(both.map(({ commit }) => commit)).size).toBe(1);
    expect(commitsOf()).toHaveLength(2);
  });
});

describe('a repository', () => {
  it('that has another name now is named', async () => {
    hub.put('models/ada/new', {});
    hub.repositories.set(`models/${repo}`, { isPrivate: false, commits: [], movedTo: 'ada/new' });
    expect(await push('done', '--repo', repo)).toMatchObject({
      code: 1,
      err: expect.stringContaining('The hub calls ada/sums ada/new now. Push there: --repo ada/new.'),
    });
  });

  it('that is public takes nothing that is to be private', async () => {
    hub.put(`models/${repo}`, {});
    const { code, err } = await push('done', '--repo', repo, '--private');
    expect({ code, err }).toMatchObject({
      code: 1,
      err: expect.stringContaining('is there already and public'),
    });
    expect(filesOf().size).toBe(0);
  });

  it('that another owner has hidden cannot be made', async () => {
    hub.repositories.set('models/lab/sums', { isPrivate: true, commits: [] });
    hub.accounts.set(token, { name: 'ada', role: 'write', owners: ['ada'] });
    expect((await push('done', '--repo', 'lab/sums')).code).toBe(1);
    expect(hub.repositories.get('models/lab/sums')?.commits).toEqual([]);
  });

  it('takes files whose names and sizes are odd, and large ones in parts', async () => {
    hub.partBytes = 1000;
    const odd = {
      'a b/ä%20#1?.md': 'odd',
      [`${'deep/'.repeat(12)}x.md`]: 'deep',
      [`${'n'.repeat(200)}.txt`]: 'long',
      'empty.txt': '',
      'big.safetensors': 'w'.repeat(4321),
    };
    const folder = await anExport(odd);
    expect((await pushed(folder)).commit).not.toBeNull();
    for (const [path, text] of Object.entries(odd)) expect(textOf(path)).toBe(text);
    expect((await pushed(folder)).commit).toBeNull();
    // Compared by its bytes, the path of which is part of an address.
    hub.put(`models/${repo}`, { 'a b/ä%20#1?.md': 'changed' });
    expect((await errorOf(pushed(folder))).message).toContain('was changed there since the last push');
  });
});

async function addressOfNobody(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}
