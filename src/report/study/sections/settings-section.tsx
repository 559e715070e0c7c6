/** @jsxRuntime automatic @jsxImportSource preact */
import { stringify } from 'yaml';
import type { ColumnSettings } from '../settings-of.ts';

/** With what settings and versions the experiments ran: enough to do it again. */
export function SettingsSection({ settings }: { settings: readonly ColumnSettings[] }) {
  return (
    <section>
      <h2>Settings and versions</h2>
      {settings.map(({ column, of, config, byMethod, fromPaper, versions }) => (
        <>
          <h3>{column}</h3>
          {fromPaper !== null && (
            <p>
              It is an experiment of the paper.{' '}
              {fromPaper.length === 0
                ? 'Its settings are the paper’s'
                : `Other than the paper’s: ${fromPaper.join('; ')}`}
              ; fine-tuning is by LoRA here, and was of all weights there.
            </p>
          )}
          {byMethod.length > 0 && (
            <ul class="limits">
              {byMethod.map(({ method, settings: own }) => (
                <li>
                  <code>{method}</code> has other settings than <code>{of}</code>: {own.join(', ')}
                </li>
              ))}
            </ul>
          )}
          <div class="columns">
            <details class="card">
              <summary>Resolved config of {of}</summary>
              <pre>{stringify(config)}</pre>
            </details>
            <details class="card">
              <summary>Versions</summary>
              <pre>{stringify(versions)}</pre>
            </details>
          </div>
        </>
      ))}
    </section>
  );
}
