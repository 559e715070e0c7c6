"""Types into a real interactive shell in a terminal of its own, presses Tab, types on, and prints the words of the command line that the shell then has.

usage: type_and_tab.py SHELL SCRIPT TYPED EXPECTED MORE
SCRIPT is a file that the shell reads first; MORE is typed as soon as EXPECTED is shown.
"""

import os
import pty
import re
import select
import sys
import time

shell, script, typed, expected, more = sys.argv[1:]
flags = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"], "fish": ["--no-config", "-i"]}[shell]
pid, terminal = pty.fork()
if pid == 0:
    os.environ.update(TERM="dumb" if shell == "bash" else "xterm", PS1="$ ", COLUMNS="200")
    os.execvp(shell, [shell, *flags])


def read_until(seen, limit=20.0):
    """Reads what the shell shows until `seen` accepts it."""
    shown = ""
    end = time.monotonic() + limit
    while time.monotonic() < end and not seen(shown):
        ready, _, _ = select.select([terminal], [], [], 0.2)
        if ready:
            shown += os.read(terminal, 4096).decode(errors="replace")
            # fish asks what the terminal can do, and waits for the answer.
            if "\x1b[c" in shown or "\x1b[0c" in shown:
                os.write(terminal, b"\x1b[?62c")
                shown = shown.replace("\x1b[c", "").replace("\x1b[0c", "")
    return shown


def say(text):
    os.write(terminal, text.encode())


# The words of a marker are apart in what is typed, so that its echo is no marker.
prepared = "bindkey -e; autoload -U compinit; compinit -u -D; " if shell == "zsh" else ""
say(f"{prepared}source {script}; printf 'is%s\\n' ready\r")
read_until(lambda shown: "isready" in shown)
say(f"{typed}\t")
read_until(lambda shown: expected in shown)
# Ctrl-A goes to the beginning of the line: its words become the arguments of printf, which prints a line for each.
say(f"{more}\x01printf 'word(%s)\\n' \r")
for word in re.findall(r"word\(([^%)]*)\)", read_until(lambda shown: "word(end)" in shown)):
    print(word)
os.close(terminal)
