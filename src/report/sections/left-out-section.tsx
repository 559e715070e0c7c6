/** @jsxRuntime automatic @jsxImportSource preact */
import type { LeftOutDocument } from '../../store/records/rows.ts';
import { count } from '../format.ts';

/** The questions that were not asked, and why; nothing where all were. */
export function LeftOutSection({ leftOut }: Pick<LeftOutDocument, 'leftOut'>) {
  if (leftOut.length === 0) return null;
  return (
    <section>
      <h2>Questions left out</h2>
      <ul>
        {leftOut.map((each) => (
          <li>
            {count(each.count)} {each.what}, for example:
            <ul>
              {each.examples.map((example) => (
                <li>{example}</li>
              ))}
            </ul>
          </li>
        ))}
      </ul>
    </section>
  );
}
