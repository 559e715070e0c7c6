import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Begun first, the longest first: each of them does one thing after another for a minute or more, and begun last would be waited for alone. */
const order = [
  'engine/python',
  'workflows/experiment',
  'faults/faults-in-one-world',
  'faults/',
  'examples.test',
  'workflows/hosted-models',
  'workflows/embedded-model',
  'workflows/code-versions',
  'workflows/scheduled-nights',
  'workflows/guard',
  'workflows/study',
  'export/load-back',
  'workflows/',
  'hostile/',
  'observe/observed-run',
  'activities/steps/debate-memory',
  'engines/endpoint.test',
  'cli/study',
  'workers/dev-server',
  'cli/schedule',
  'report/write-study-report',
  'engines/trainer.test',
];

/** The order in which files are begun. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const found = order.findIndex((part) => moduleId.includes(`/test/${part}`));
      return found >= 0 ? found : order.length;
    };
    // oxlint-disable-next-line unicorn/no-array-sort -- the sequencer's own method, not the array's
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}
