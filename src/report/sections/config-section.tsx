/** @jsxRuntime automatic @jsxImportSource preact */
import { stringify } from 'yaml';

/** The resolved config and what it ran on: enough to do it again. */
export function ConfigSection({
  config,
  versions,
}: {
  config: unknown;
  versions: Readonly<Record<string, string>>;
}) {
  return (
    <section>
      <h2>Settings and versions</h2>
      <div class="columns">
        <div class="card">
          <h3>Resolved config</h3>
          <pre>{config === null ? 'config.json is missing.' : stringify(config)}</pre>
        </div>
        <div class="card">
          <h3>Versions</h3>
          <table>
            <tbody>
              {Object.entries(versions).map(([name, version]) => (
                <tr>
                  <th>{name}</th>
                  <td>{version}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </div>
    </section>
  );
}
