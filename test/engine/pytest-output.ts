export interface PytestOutcome {
  /** `test_serve.py::test_name[parameters]` */
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
}

/** What `pytest -v --color=no` printed: each test, and the text after the last of them (failures, summary). */
export function parsePytest(output: string): { tests: PytestOutcome[]; closing: string } {
  const tests: PytestOutcome[] = [];
  let end = 0;
  for (const match of output.matchAll(line)) {
    const [whole, path = '', word = ''] = match;
    tests.push({ name: path.replace(/^.*\//, ''), outcome: outcomes[word] ?? 'failed' });
    end = match.index + whole.length;
  }
  return { tests, closing: output.slice(end).trim() };
}

const line = /^(\S+\.py::.+?) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)\b.*$/gm;

const outcomes: Record<string, PytestOutcome['outcome']> = {
  PASSED: 'passed',
  XFAIL: 'passed',
  SKIPPED: 'skipped',
};
