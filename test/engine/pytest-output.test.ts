import { describe, expect, it } from 'vitest';
import { parsePytest } from './pytest-output.ts';

describe('parsePytest', () => {
  it('finds each test, also those with spaces in their parameters, and what follows them', () => {
    const { tests, closing } = parsePytest(
      [
        'collecting ... collected 4 items',
        '',
        'engine/tests/test_serve.py::test_answers PASSED                 [ 25%]',
        'engine/tests/test_serve.py::test_bodies[a b] FAILED             [ 50%]',
        'engine/tests/test_train.py::test_gpu SKIPPED (no GPU)           [ 75%]',
        'engine/tests/test_train.py::test_fixture ERROR                  [100%]',
        '',
        '=== FAILURES ===',
        'assert 1 == 2',
      ].join('\n'),
    );
    expect(tests).toEqual([
      { name: 'test_serve.py::test_answers', outcome: 'passed' },
      { name: 'test_serve.py::test_bodies[a b]', outcome: 'failed' },
      { name: 'test_train.py::test_gpu', outcome: 'skipped' },
      { name: 'test_train.py::test_fixture', outcome: 'failed' },
    ]);
    expect(closing).toMatch(/^=== FAILURES/);
  });
});
