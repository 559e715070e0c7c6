/** @jsxRuntime automatic @jsxImportSource preact */
import type { MissingCell } from '../finished-cell.ts';

/** What failed or is not finished, each with why. */
export function MissingSection({ missing }: { missing: readonly MissingCell[] }) {
  if (missing.length === 0) return null;
  return (
    <section>
      <h2>What is missing</h2>
      <p class="note">
        Start the study again when the causes are mended: it runs these alone, and this page is written anew.
      </p>
      <ul class="runs">
        {missing.map(({ name, reason }) => (
          <li>
            <code>{name}</code>: {reason}
          </li>
        ))}
      </ul>
    </section>
  );
}
