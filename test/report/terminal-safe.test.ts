import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { terminalSafe } from '../../src/report/terminal-safe.ts';

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
