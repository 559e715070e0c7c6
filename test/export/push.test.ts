import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { projectRoot } from '../../src/config/installation.ts';
import { push, pushRig, repo, token } from './push-rig.ts';

const { root, home, hub, filesOf, textOf, commitsOf, sends } = await pushRig();

describe('colloquy push', () => {
  it("sends the agents' models with cards and results as one commit, and nothing when it is given again", async () => {
    const dry = await push('done', '--repo', repo, '--dry-run', '--json');
    expect(sends()).toEqual([]);
    expect(hub.repositories.size).toBe(0);
    expect(JSON.parse(dry.out).told).toContain('agent-3-critic: still the base model, nothing to send');
    const { code, out } = await push('done', '--repo', repo);
    expect(code).toBe(0);
    const sent = [...filesOf()].filter(([path]) => path !== '.gitattributes');
    expect(sent.map(([path]) => path).toSorted()).toEqual(
      [
        ...['agent-1-critic', 'agent-1-generation', 'agent-2-critic', 'agent-2-generation'].flatMap((name) =>
          ['README.md', 'adapter_config.json', 'adapter_model.safetensors'].map((file) => `${name}/${file}`),
        ),
        'README.md',
        'colloquy-export.json',
        'results.json',
      ].toSorted(),
    );
    // The dry run has said it, to the byte.
    const planned = JSON.parse(dry.out);
    expect(planned).toMatchObject({
      repo,
      type: 'model',
      private: false,
      made: true,
      dryRun: true,
      commit: null,
    });
    expect(
      new Map(planned.added.map(({ path, size }: { path: string; size: number }) => [path, size])),
    ).toEqual(new Map(sent.map(([path, { content }]) => [path, content.length])));
    expect(textOf('agent-2-critic/adapter_model.safetensors')).toBe('weights of agent 2');
    const [, made] = commitsOf();
    expect(made?.summary).toBe('done, iteration 2: models');
    expect(out).toContain(
      `to the new public model ${repo}, as the commit "done, iteration 2: models" (${made?.oid})`,
    );
    hub.asked.splice(0);
    const again = await push('done', '--repo', repo);
    expect(again).toMatchObject({
      code: 0,
      out: expect.stringContaining(`Nothing to send: the public model ${repo} has all of it.`),
    });
    expect(sends()).toEqual([]);
  });

  it('goes on after Ctrl-C in the middle of an upload', async () => {
    const program = [join(projectRoot, 'bin/colloquy.mjs'), 'push', 'done', '--repo', repo];
    const running = spawn(process.execPath, program, { env: process.env, stdio: 'ignore' });
    const ended = new Promise((resolve) => running.once('exit', (code, signal) => resolve(signal ?? code)));
    // The first upload never gets an answer.
    hub.fault = (request) => {
      if (!request.startsWith('PUT')) return undefined;
      running.kill('SIGINT');
      return 'cut';
    };
    expect(['SIGINT', 130]).toContain(await ended);
    expect(commitsOf()).toHaveLength(1);
    hub.fault = () => undefined;
    expect((await push('done', '--repo', repo)).code).toBe(0);
    expect(textOf('agent-1-critic/adapter_model.safetensors')).toBe('weights of agent 1');
  }, 60_000);

  it('sends cards that name the licence and nothing of this machine', async () => {
    await push('done', '--repo', repo);
    const card = parse(textOf('README.md').split('---\n')[1] ?? '');
    expect(card).toMatchObject({
      license: 'apache-2.0',
      library_name: 'peft',
      tags: expect.arrayContaining(['lora']),
    });
    expect(textOf('agent-1-critic/README.md')).toContain(`adapter = "${repo}"`);
    expect(textOf('agent-1-critic/README.md')).toContain('subfolder="agent-1-critic"');
    expect(JSON.parse(textOf('results.json'))).toMatchObject({
      experiment: 'done',
      iteration: 2,
      evaluations: [{}, {}, { debate: { accuracy: 0.75 } }],
    });
    for (const [path, { content }] of filesOf())
      for (const folder of [root, projectRoot, home, '/somewhere'])
        expect(content.toString(), path).not.toContain(folder);
  });

  it('sends one agent alone, at the root of a private repository, and datasets to a repository of datasets', async () => {
    await push('done', '--repo', repo, '--private', '--agent', '2', '--role', 'critic', '--iteration', '1');
    expect(hub.repositories.get(`models/${repo}`)?.isPrivate).toBe(true);
    expect([...filesOf().keys()]).toContain('adapter_model.safetensors');
    expect(textOf('README.md')).toContain('iteration 1: critic model of agent 2');
    const { code, out } = await push('done', '--repo', repo, '--format', 'dpo', '--licence', 'mit');
    expect(code).toBe(0);
    expect(out).toContain(
      `The hub also has a model ${repo}, which is another repository: this one is a dataset.`,
    );
    const datasets = `datasets/${repo}`;
    expect([...filesOf(datasets).keys()].toSorted()).toEqual([
      '.gitattributes',
      'README.md',
      'agent-1.jsonl',
      'agent-2.jsonl',
      'colloquy-export.json',
    ]);
    expect(textOf('README.md', datasets)).toContain('license: mit');
    expect(textOf('README.md', datasets)).toContain(`load_dataset("${repo}"`);
  });

  it('sends one whole model with its card', async () => {
    const { code, out } = await push('whole', '--repo', repo, '--merge', '--agent', '2');
    expect({ code, out }).toMatchObject({
      code: 0,
      out: expect.stringContaining('iteration 1: a merged model'),
    });
    expect(textOf('model.safetensors')).toBe('all weights');
    expect(textOf('README.md')).toContain(`vllm serve ${repo} --served-model-name whole-agent-2-generation`);
    expect(filesOf().has('results.json')).toBe(true);
  });

  it('takes what it has sent before away, and leaves what others have put there', async () => {
    await push('done', '--repo', repo);
    hub.put(`models/${repo}`, { 'notes/ideas.md': 'mine', 'agent-9/README.md': 'mine too' });
    const { out } = await push('done', '--repo', repo, '--agent', '1');
    expect(out).toContain('- agent-2-critic/adapter_model.safetensors');
    expect(textOf('notes/ideas.md')).toBe('mine');
    expect(textOf('agent-9/README.md')).toBe('mine too');
    expect([...filesOf().keys()].some((path) => path.startsWith('agent-2'))).toBe(false);
  });

  it('replaces what others have changed, or another experiment, only when it is told to', async () => {
    hub.put(`models/${repo}`, { 'README.md': 'my words' });
    const options = ['done', '--repo', repo];
    expect(await push(...options)).toMatchObject({
      code: 1,
      err: expect.stringContaining('README.md of ada/sums was written by somebody else. --replace'),
    });
    await push(...options, '--replace');
    hub.put(`models/${repo}`, { 'agent-1-critic/README.md': 'corrected there' });
    expect((await push(...options)).err).toContain(
      'agent-1-critic/README.md of ada/sums was changed there since the last push',
    );
    expect(textOf('agent-1-critic/README.md')).toBe('corrected there');
    expect((await push('other', '--repo', repo)).err).toContain('has an export of the experiment done');
    expect((await push('other', '--repo', repo, '--replace')).code).toBe(0);
    expect(textOf('README.md')).toContain('# other, iteration 1');
  });
});

describe('the token', () => {
  it("is that of HF_TOKEN or of the hub's token file", async () => {
    vi.stubEnv('HF_TOKEN', '');
    expect(await push('done', '--repo', repo)).toMatchObject({
      code: 2,
      err: expect.stringContaining('there is none. Make one that may write'),
    });
    // What is public can be planned without.
    expect(await push('done', '--repo', repo, '--dry-run')).toMatchObject({ code: 0 });
    await writeFile(join(home, 'token'), `${token}\n`);
    expect((await push('done', '--repo', repo)).code).toBe(0);
  });

  it.each([
    ['is unknown', 'hf_wrong', repo, 1, '401: Invalid credentials'],
    ['may only read', 'hf_reader', repo, 2, 'may only read'],
    ['is no token of the hub', 'sk-other', repo, 2, 'those begin with hf_'],
    ['has two lines', `${token}\nhf_more`, repo, 2, 'no line break'],
    ['may not write there', token, 'bob/sums', 1, 'name a repository of your own: --repo OWNER/NAME'],
  ])('is refused when it %s', async (_, given, to, code, words) => {
    vi.stubEnv('HF_TOKEN', given);
    const said = await push('done', '--repo', to);
    expect(said).toMatchObject({ code, err: expect.stringContaining(words) });
    for (const line of given.split('\n')) expect(said.err).not.toContain(line);
    expect(hub.repositories.size).toBe(0);
  });

  it("is refused by another's repository, which stays as it is", async () => {
    const before = hub.put('models/bob/sums', { 'README.md': "bob's" });
    const { code, err } = await push('done', '--repo', 'bob/sums', '--replace');
    expect({ code, err }).toMatchObject({
      code: 1,
      err: expect.stringContaining("don't have the rights to write"),
    });
    expect(hub.repositories.get('models/bob/sums')?.commits.at(-1)?.oid).toBe(before);
  });
});
