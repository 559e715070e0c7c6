/** Chromium, driven over its pipe: the DevTools protocol, a message a null byte. It needs no library, and looks when it is told to. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';

export type Browser = {
  /** Opens `url`, waits until the page has had `ms` to load what it shows, and writes a PNG. */
  readonly shoot: (url: string, file: string, ms: number) => Promise<void>;
  /** Opens `url` and returns at once. */
  readonly open: (url: string, look?: Look) => Promise<Page>;
  readonly close: () => Promise<void>;
};

export type Look = { readonly width: number; readonly height: number; readonly scheme: 'light' | 'dark' };

export type Page = {
  /** The value of an expression, or of the promise that it is. What a page may not do is allowed here: its policy is left out. */
  readonly evaluate: (expression: string) => Promise<unknown>;
  /** A key, as its `KeyboardEvent.key`. */
  readonly press: (key: string) => Promise<void>;
  readonly type: (text: string) => Promise<void>;
  readonly shoot: (file: string) => Promise<void>;
  readonly close: () => Promise<void>;
};

type Result = Readonly<Record<string, string>> & {
  readonly result?: { readonly value?: unknown };
  readonly exceptionDetails?: unknown;
};
type Answer = { readonly id?: number; readonly result?: Result; readonly error?: unknown };

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
  async function call(method: string, params: object, sessionId?: string): Promise<Result> {
    sent += 1;
    const id = sent;
    const answered = new Promise<Answer>((resolve) => waiting.set(id, resolve));
    toBrowser.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    const { result, error } = await answered;
    if (result === undefined) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return result;
  }

  async function open(url: string, look: Look = { ...size, scheme: 'light' }): Promise<Page> {
    const { targetId } = await call('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await call('Target.attachToTarget', { targetId, flatten: true });
    const { width, height, scheme } = look;
    const features = [{ name: 'prefers-color-scheme', value: scheme }];
    const metrics = { width, height, deviceScaleFactor: 1, mobile: width < 500 };
    await call('Emulation.setDeviceMetricsOverride', metrics, sessionId);
    await call('Emulation.setEmulatedMedia', { features }, sessionId);
    await call('Page.navigate', { url }, sessionId);
    return {
      async evaluate(expression) {
        const asked = { expression, awaitPromise: true, returnByValue: true };
        const { result, exceptionDetails } = await call('Runtime.evaluate', asked, sessionId);
        if (exceptionDetails !== undefined)
          throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
        return result?.value;
      },
      async press(key) {
        const text = key.length === 1 ? { text: key } : {};
        await call('Input.dispatchKeyEvent', { type: 'keyDown', key, ...text }, sessionId);
        await call('Input.dispatchKeyEvent', { type: 'keyUp', key }, sessionId);
      },
      async type(text) {
        await call('Input.insertText', { text }, sessionId);
      },
      async shoot(file) {
        const { data = '' } = await call('Page.captureScreenshot', { format: 'png' }, sessionId);
        await writeFile(file, Buffer.from(data, 'base64'));
      },
      async close() {
        await call('Target.closeTarget', { targetId });
      },
    };
  }

  return {
    open,
    async shoot(url, file, ms) {
      const page = await open(url);
      await pause(ms);
      await page.shoot(file);
      await page.close();
    },
    async close() {
      const exited = once(child, 'exit');
      child.kill();
      await exited;
    },
  };
}
