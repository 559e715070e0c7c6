/** The cause of a program's death, as a Python program's log has it. */

/** vLLM writes its process, level, time and place before each line: `(EngineCore pid=7) ERROR 11-28 17:00:00 [core.py:1] …`. */
const linePrefix =
  /^(?:\([\w :=.-]+\)\s)?(?:(?:ERROR|WARNING|INFO|CRITICAL)\s\d\d-\d\d\s[\d:.]+\s(?:\[[^\]]*\]\s)?)?/;

/** The last line of a traceback: the error's class, with its modules, and its words. */
const raised = /^(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:Error|Exception|Exit|Interrupt|Timeout)(?::\s.*)?$/;

/** argparse's last line. */
const wrongArguments = /^.*: error: (.+)$/;

/** Errors that only say that another process has failed. */
const echo = /EngineDeadError|Engine core initialization failed|EngineCore encountered an issue|root cause/;

/** Of a Python program that was asked to end. */
const asked = /^(?:KeyboardInterrupt|SystemExit|(?:asyncio\.)?(?:exceptions\.)?CancelledError)\b/;

/**
 * The error that a program named last before it ended, in one line of at most 500 characters; undefined when its log names none. Where
 * several processes wrote tracebacks, it is not an error that only reports the failure of another process.
 *
 * @param lines the newest lines of the log, the oldest first
 */
export function lastCause(lines: readonly string[]): string | undefined {
  const plain = lines.map((line) => line.replace(linePrefix, '').trimEnd());
  let cause: string | undefined;
  let reported: string | undefined;
  for (const [place, line] of plain.entries()) {
    const argument = wrongArguments.exec(line)?.[1];
    if (argument !== undefined && plain.some((other) => other.startsWith('usage:'))) cause = argument;
    else if (raised.test(line) && !asked.test(line)) {
      const words = withFollowing(line, plain.slice(place + 1));
      if (echo.test(words)) reported = words;
      else cause = words;
    }
  }
  return (cause ?? reported)?.slice(0, 500);
}

/** pydantic and torch write the words that matter in the lines below the error's name. */
function withFollowing(line: string, following: readonly string[]): string {
  const end = following.findIndex((next) => !/^\s+\S/.test(next));
  const indented = following.slice(0, end < 0 ? following.length : end).slice(0, 4);
  return [line, ...indented.map((next) => next.trim())].join(' ');
}
