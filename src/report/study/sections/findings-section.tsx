/** @jsxRuntime automatic @jsxImportSource preact */
import type { Finding } from '../findings/finding.ts';
import type { StudyFindings } from '../findings/study-findings.ts';

/** What the study shows, by experiment, and what it does not. */
export function FindingsSection({ findings: { columns, limits } }: { findings: StudyFindings }) {
  return (
    <section>
      <h2>What it shows</h2>
      {columns.length === 0 && <p>No experiment is finished, so nothing can be said yet.</p>}
      {columns.map(({ column, shows, beside }) => (
        <>
          {columns.length > 1 && <h3>{column}</h3>}
          {shows.map((each) => (
            <Said finding={each} />
          ))}
          {beside.length > 0 && <h3>Measured beside it{columns.length > 1 ? `, ${column}` : ''}</h3>}
          {beside.map((each) => (
            <Said finding={each} />
          ))}
        </>
      ))}
      <h3>What it does not show</h3>
      <ul class="limits">
        {limits.map((sentence) => (
          <li>{unbroken(sentence)}</li>
        ))}
      </ul>
    </section>
  );
}

function Said({ finding: { sentence, each } }: { finding: Finding }) {
  return (
    <div class="finding">
      <p>{unbroken(sentence)}</p>
      {each.length > 0 && (
        <ul class="limits">
          {each.map((said) => (
            <li>{unbroken(said)}</li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** A number and its sign stay on one line. */
function unbroken(sentence: string): string {
  return sentence.replaceAll(' %', '\u00a0%').replaceAll(/ ([<=]) /g, '\u00a0$1\u00a0');
}
