/** @jsxRuntime automatic @jsxImportSource preact */
import { didMove, leastMove } from '../../algorithm/training-steps.ts';
import type { ExperimentResult } from '../../store/records/result.ts';
import { count } from '../../text/figures.ts';
import type { Drawn } from '../charts/style.ts';
import { ChartsSection } from '../parts/sections.tsx';
import { Grid } from '../tables/html-table.tsx';

type Iteration = ExperimentResult['iterations'][number];
type FineTune = Iteration['fineTunes'][number];

/** The loss curves of the models of a role. */
export type LossCharts = { readonly role: string; readonly drawn: Drawn };

/** How each fine-tune went, and how far it moved its model. */
export function FineTunesSection({
  iterations,
  losses,
}: {
  iterations: readonly Iteration[];
  losses: readonly LossCharts[];
}) {
  return (
    <ChartsSection
      title="How the models were trained"
      label="Loss over the optimiser steps of all iterations"
      note={`The loss on a model’s own rows, iteration after iteration; a dotted line stands where an iteration begins. ${movedNote}`}
      charts={losses.map(({ role, drawn }) => ({ heading: `Loss of the ${role} models`, drawn: [drawn] }))}
    >
      <Grid
        head={[
          'Iteration',
          'Agent',
          'Model',
          'Rows',
          'Too long',
          'Steps',
          'Learning rate',
          'Last loss',
          'Moved',
        ]}
        rows={iterations.flatMap(({ iteration, fineTunes }) =>
          fineTunes.map((fineTune, index) => [index === 0 ? iteration : '', ...cells(fineTune)]),
        )}
      />
    </ChartsSection>
  );
}

const movedNote = `Moved: the mean KL divergence of the trained model to where it started, in nats a token, on up to 32 of its own rows. A model that moved by less than ${leastMove} did not move: at most 7 of 100 answers of 100 tokens could come out differently. Too long: rows longer than max_length, which are left out.`;

function cells({
  agent,
  role,
  model,
  rows,
  droppedRows,
  steps,
  finalLoss,
  peakLearningRate,
  moved,
}: FineTune) {
  const begin = [agent, role, count(rows)];
  if (model === null) return [...begin, '–', '–', '–', '–', 'not trained'];
  return [
    ...begin,
    count(droppedRows),
    count(steps),
    peakLearningRate?.toPrecision(2) ?? '–',
    finalLoss?.toFixed(3) ?? '–',
    movedText(moved),
  ];
}

function movedText(moved: FineTune['moved']): string {
  if (moved === null) return 'not measured';
  const figure = moved.klPerToken.toPrecision(2);
  return didMove(moved) === true ? figure : `did not move (${figure})`;
}
