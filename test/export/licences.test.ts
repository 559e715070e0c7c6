import { describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { push, pushRig, repo } from './push-rig.ts';

const { hub, textOf, filesOf, sends } = await pushRig();

/** A base model on the hub. */
function base(licence: string, files: Readonly<Record<string, string>> = {}): string[] {
  hub.put('models/maker/base', { 'README.md': `---\n${licence}\n---\n# base\n`, ...files });
  return ['--base-model', 'maker/base'];
}
const frontMatter = (): unknown => parse(textOf('README.md').split('---\n')[1] ?? '');

describe('the licence of the base model', () => {
  it('goes into the card with its files, when it allows to publish what was made of it', async () => {
    const options = base('license: apache-2.0', { LICENSE: 'Apache', NOTICE: 'of maker' });
    expect(await push('done', '--repo', repo, ...options)).toMatchObject({
      code: 0,
      out: expect.stringContaining('Licence in the card: apache-2.0.'),
    });
    expect(frontMatter()).toMatchObject({
      license: 'apache-2.0',
      base_model: 'maker/base',
      base_model_relation: 'adapter',
    });
    expect([textOf('LICENSE'), textOf('NOTICE')]).toEqual(['Apache', 'of maker']);
    expect(JSON.parse(textOf('agent-1-critic/adapter_config.json'))).toMatchObject({
      base_model_name_or_path: 'maker/base',
    });
  });

  it.each([
    ['is not stated', 'tags: []', 'maker/base states no licence'],
    [
      'is one that Colloquy does not know',
      'license: other\nlicense_name: maker-licence',
      'under maker-licence, whose terms Colloquy does not know',
    ],
    ['forbids to share what was made of it', 'license: cc-by-nc-nd-4.0', 'which forbids to share'],
  ])('has to be checked by a person when it %s', async (_, licence, words) => {
    const options = ['done', '--repo', repo, ...base(licence)];
    for (const dry of [[], ['--dry-run']]) {
      const { code, err } = await push(...options, ...dry);
      expect({ code, err }).toMatchObject({ code: 1, err: expect.stringContaining(words) });
      expect(err).toContain('add --licence-checked. Nothing was sent.');
    }
    expect(sends()).toEqual([]);
    const { code, out } = await push(...options, '--licence-checked');
    expect({ code, out }).toMatchObject({
      code: 0,
      out: expect.stringContaining('You have said that you may publish it.'),
    });
  });

  it('stays with what was made of it, when it says so', async () => {
    const options = ['done', '--repo', repo, ...base('license: cc-by-nc-sa-4.0')];
    expect((await push(...options, '--licence', 'mit')).err).toContain(
      'cannot be published under mit. Leave --licence out.',
    );
    await push(...options);
    expect(frontMatter()).toMatchObject({ license: 'cc-by-nc-sa-4.0' });
    expect(textOf('README.md')).toContain('allows no commercial use');
  });

  it('may ask for a name, a copy and a notice', async () => {
    const options = base('license: llama3.1');
    expect((await push('done', '--repo', repo, ...options)).err).toContain(
      'Name the repository ada/Llama-sums.',
    );
    expect((await push('done', '--repo', 'ada/Llama-sums', ...options)).err).toContain(
      'asks that a copy of it goes with',
    );
    base('license: llama3.1', { 'LICENSE.txt': 'Llama licence', 'USE_POLICY.md': 'policy' });
    expect((await push('done', '--repo', 'ada/Llama-sums', ...options)).code).toBe(0);
    const key = 'models/ada/Llama-sums';
    expect([...filesOf(key).keys()]).toEqual(
      expect.arrayContaining(['LICENSE.txt', 'USE_POLICY.md', 'NOTICE']),
    );
    expect(textOf('NOTICE', key)).toContain('Llama 3.1 Community License');
    expect(textOf('README.md', key)).toContain('**Built with Llama.**');
  });

  it('is told when the base model is a folder of this machine, or is not on the hub', async () => {
    expect((await push('done', '--repo', repo)).out).toContain('nobody else can load an adapter of it');
    const { code, err } = await push('done', '--repo', repo, '--base-model', 'maker/nothing');
    expect({ code, err }).toMatchObject({
      code: 1,
      err: expect.stringContaining('the hub shows no such model (404)'),
    });
  });

  it('of datasets is for a person to state', async () => {
    const { out } = await push('done', '--repo', repo, '--format', 'trl', ...base('license: mit'));
    expect(out).toContain('The card states no licence');
    expect(textOf('README.md', `datasets/${repo}`)).toContain('`maker/base` (licence: mit)');
  });
});

describe('the hub', () => {
  it('is not asked when it must not be', async () => {
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    expect((await push('done', '--repo', repo)).err).toContain('HF_HUB_OFFLINE is set');
    expect(hub.asked).toEqual([]);
  });
});

describe('the command line of a push', () => {
  it.each([
    ['no repository', ['done'], "required option '--repo <owner/name>' not specified"],
    ['a repository without owner', ['done', '--repo', 'sums'], 'Expected OWNER/NAME'],
    ['neither experiment nor series', ['--repo', repo], 'Name an experiment, or a series'],
    ['two kinds at once', ['done', '--repo', repo, '--merge', '--format', 'trl'], '--format is for datasets'],
    [
      'two agents merged',
      ['done', '--repo', repo, '--merge', '--agent', '1', '--agent', '2'],
      'give --agent once',
    ],
    [
      'agents of datasets',
      ['done', '--repo', repo, '--format', 'trl', '--agent', '1'],
      'leave them out with --format',
    ],
  ])('is refused with %s', async (_, options, words) => {
    expect(await push(...options)).toMatchObject({ code: 2, err: expect.stringContaining(words) });
    expect(hub.asked).toEqual([]);
  });

  it.each([
    ['an agent that there is not', ['--agent', '7'], 'it has no model of agent 7, only agent 1 generation'],
    ['an agent that learnt nothing', ['--agent', '3'], 'every model is still the base model'],
    ['an iteration that there is not', ['--iteration', '9'], 'no finished iteration 9'],
  ])('is refused with %s', async (_, options, words) => {
    expect(await push('done', '--repo', repo, ...options)).toMatchObject({
      code: 1,
      err: expect.stringContaining(words),
    });
    expect(sends()).toEqual([]);
  });
});
