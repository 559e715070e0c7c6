import { mkdtempSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lastCause, openProgramLog } from '../../src/engines/process/log-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'colloquy-log-'));

describe('the log of a program', () => {
  it('keeps the first 2,000 characters of a line, and how many more there were', () => {
    const log = openProgramLog(join(folder, 'lines'));
    log.add('x'.repeat(60_000));
    log.add('after it');
    log.close();
    const [long, after] = readFileSync(log.file, 'utf8').split('\n');
    expect(long).toBe(`${'x'.repeat(2_000)} … (58000 more characters)`);
    expect(after).toBe('after it');
    expect(log.ending()).toMatch(/after it$/);
  });

  it('is moved aside when it has 10 MB, while the program runs', () => {
    const log = openProgramLog(join(folder, 'large'));
    for (let line = 0; line < 12_000; line += 1) log.add('x'.repeat(1_900));
    log.add('the end');
    log.close();
    expect(statSync(`${log.file}.old`).size).toBeLessThan(11_000_000);
    expect(statSync(log.file).size).toBeLessThan(11_000_000);
    expect(readFileSync(log.file, 'utf8')).toMatch(/the end\n$/);
  });
});

describe('the cause of a death', () => {
  // Lines as vLLM 0.32 writes them.
  const core = '(EngineCore pid=12) ERROR 11-28 17:00:00 [core.py:1000] ';
  const api = '(APIServer pid=10) ';
  it.each([
    [
      'is the engine core’s error, and not the API server’s about it',
      [
        `${core}EngineCore failed to start.`,
        `${core}Traceback (most recent call last):`,
        `${core}  File "a.py", line 1, in run`,
        `${core}ValueError: No available memory for the cache blocks. Try increasing gpu_memory_utilization.`,
        `${api}Traceback (most recent call last):`,
        `${api}RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}`,
      ],
      'ValueError: No available memory for the cache blocks. Try increasing gpu_memory_utilization.',
    ],
    [
      'is the error behind a dead engine',
      [
        `${core}RuntimeError: einsum(): subscript b has size 29 for operand 1`,
        `${api}ERROR 11-28 17:00:01 [async_llm.py:1] vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue.`,
      ],
      'RuntimeError: einsum(): subscript b has size 29 for operand 1',
    ],
    [
      'is what argparse says of the arguments',
      [
        'usage: vllm serve [model_tag] [options]',
        'vllm serve: error: unrecognized arguments: --lora-target-modules',
      ],
      'unrecognized arguments: --lora-target-modules',
    ],
    [
      'has the words below an error’s name',
      [
        `${api}pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig`,
        `${api}  Value error, User-specified max_model_len (4096) is greater than the derived max_model_len`,
      ],
      'pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig Value error, User-specified max_model_len (4096) is greater than the derived max_model_len',
    ],
    [
      'is not that it was asked to end',
      [`${core}OSError: [Errno 98] Address already in use`, 'KeyboardInterrupt'],
      'OSError: [Errno 98] Address already in use',
    ],
  ])('%s', (_, lines, cause) => expect(lastCause(lines)).toBe(cause));

  it('is unknown when no error is named', () => {
    expect(lastCause(['engine 7 starts', 'no such model, says the engine'])).toBeUndefined();
    expect(lastCause([])).toBeUndefined();
  });
});
