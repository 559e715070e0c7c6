/** @jsxRuntime automatic @jsxImportSource preact */
import { render } from 'preact';
import { App } from './app.tsx';
import { openLibrary } from './library.ts';

const root = document.getElementById('app');
if (root !== null) void show(root);

async function show(place: HTMLElement): Promise<void> {
  try {
    const library = await openLibrary({
      about: textsOf('about')[0]?.() ?? '',
      entries: textsOf('entries').map((text) => text()),
      debates: textsOf('debates'),
    });
    document.title = `Debates of ${library.about.experiment} · Colloquy`;
    place.replaceChildren();
    render(<App library={library} />, place);
  } catch (error) {
    place.textContent = `The debates cannot be unpacked: the file is damaged or cut off, or this browser is older than 2023. (${String(error)})`;
  }
}

function textsOf(kind: string): (() => string)[] {
  return [...document.querySelectorAll(`script.${kind}`)].map((block) => () => block.textContent ?? '');
}
