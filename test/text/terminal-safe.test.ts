import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shellQuoted, shellWord, terminalSafe } from '../../src/text/safe-text.ts';

describe("a model's text in a terminal", () => {
  it('cannot send an escape sequence', () => {
    expect(terminalSafe('\u001b]0;title\u0007\u001b[2J\u009b31m')).toBe(
      String.raw`\x1b]0;title\x07\x1b[2J\x9b31m`,
    );
  });

  it('cannot overwrite its own line or turn its direction round', () => {
    expect(terminalSafe('right\rwrong\u202e')).toBe(String.raw`right\x0dwrong\u{202e}`);
  });

  it('keeps letters of all scripts, line breaks and tabs', () => {
    expect(terminalSafe('Größe\t等\n🙂')).toBe('Größe\t等\n🙂');
  });

  it('holds no control character whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        // oxlint-disable-next-line no-control-regex -- they are what it looks for
        expect(terminalSafe(text)).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
      }),
    );
  });
});

describe('a word for a shell', () => {
  it('comes back from a shell as it was, whatever is written in it', () => {
    for (const word of ['plain', 'task.train_size=100', "it's", '$(id) `id` "a" \\ ; &', ' a  b ', 'a\nb']) {
      const printed = execFileSync('sh', ['-c', `printf %s ${shellQuoted(word)}`], { encoding: 'utf8' });
      expect(printed).toBe(word);
    }
  });

  it('has no quotes where it needs none', () => {
    expect(shellQuoted('configs/quickstart.yaml')).toBe('configs/quickstart.yaml');
    expect(shellQuoted('a b')).toBe("'a b'");
  });

  it('of others is one line that cannot steer the terminal', () => {
    expect(shellWord('a\n\u001b[31mb')).toBe(String.raw`'a \x1b[31mb'`);
  });
});
