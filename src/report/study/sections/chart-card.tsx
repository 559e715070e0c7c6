/** @jsxRuntime automatic @jsxImportSource preact */
import type { Drawn } from '../drawn-charts.ts';

/** A chart with a sentence for those who cannot see it. Its SVG is made of numbers and of names that a study's schema allows. */
export function ChartCard({ chart: { wide, narrow }, label }: { chart: Drawn; label: string }) {
  return (
    <div class="card chart" role="img" aria-label={label}>
      <div class="wide" dangerouslySetInnerHTML={{ __html: wide }} />
      <div class="narrow" dangerouslySetInnerHTML={{ __html: narrow }} />
    </div>
  );
}
