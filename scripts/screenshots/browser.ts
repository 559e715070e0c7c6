/** Chromium, driven over its pipe: the DevTools protocol, a message a null byte. It needs no library, and looks when it is told to. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';

export type Browser = {
  /** Opens `url`, waits until the page has had `ms` to load what it shows, and writes a PNG. */
  readonly shoot: (url: string, file: string, ms: number) => Promise<void>;
  readonly close: () => Promise<void>;
};

type Answer = {
  readonly id?: number;
  readonly result?: Readonly<Record<string, string>>;
  readonly error?: unknown;
};

/** @param program Chromium or Chrome */
export function startBrowser(program: string, size: { width: number; height: number }): Browser {
  const options = ['--headless', '--no-sandbox', '--hide-scrollbars', '--remote-debugging-pipe'];
  const child = spawn(program, [...options, `--window-size=${size.width},${size.height}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  });
  const [, , , toBrowser, fromBrowser] = child.stdio as unknown as [null, null, null, Duplex, Duplex];
  const waiting = new Map<number, (answer: Answer) => void>();
  let unread = '';
  fromBrowser.setEncoding('utf8').on('data', (chunk: string) => {
    const messages = (unread + chunk).split('\0');
    unread = messages.pop() ?? '';
    for (const message of messages) {
      const answer = JSON.parse(message) as Answer;
      if (answer.id !== undefined) waiting.get(answer.id)?.(answer);
    }
  });

  let sent = 0;
  async function call(method: string, params: object, sessionId?: string): Promise<Record<string, string>> {
    sent += 1;
    const id = sent;
    const answered = new Promise<Answer>((resolve) => waiting.set(id, resolve));
    toBrowser.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    const { result, error } = await answered;
    if (result === undefined) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return result;
  }

  return {
    async shoot(url, file, ms) {
      const { targetId } = await call('Target.createTarget', { url, ...size });
      const { sessionId } = await call('Target.attachToTarget', { targetId, flatten: true });
      await pause(ms);
      const { data = '' } = await call('Page.captureScreenshot', { format: 'png' }, sessionId);
      await writeFile(file, Buffer.from(data, 'base64'));
      await call('Target.closeTarget', { targetId });
    },
    async close() {
      const exited = once(child, 'exit');
      child.kill();
      await exited;
    },
  };
}
