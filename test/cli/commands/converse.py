"""Runs a program in a terminal of its own and talks to it, as a person would. Prints what the terminal shows.

usage: converse.py SAYS PROGRAM [ARGUMENT ...]
SAYS is a JSON list of pairs: what to wait for, and what to type then. Ends with the program's exit code.
"""

import json
import os
import pty
import select
import sys
import time

says = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])

shown = ""
end = time.monotonic() + 100
while time.monotonic() < end:
    while says and says[0][0] in shown:
        expected, typed = says.pop(0)
        # What was waited for is not waited for again.
        print(shown[: shown.index(expected) + len(expected)], end="")
        shown = shown[shown.index(expected) + len(expected) :]
        os.write(terminal, typed.encode())
    if not select.select([terminal], [], [], 0.5)[0]:
        continue
    try:
        shown += os.read(terminal, 4096).decode(errors="replace")
    except OSError:
        break  # The program has ended.
print(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
