"""Leaving when the parent dies, even in the middle of a batch or a training step."""

import os
import select
import sys
import threading
import time
from collections.abc import Callable


def leave_with_parent(watch_stdin: bool, leave: Callable[[], None] | None = None) -> threading.Thread:
    """Starts a thread that ends the process when the parent has died (or, with `watch_stdin`, closed our stdin).

    It leaves by `os._exit`: an orphan must not finish its batch, and no other thread may be able to hold it back.
    """
    parent = os.getppid()
    leave = leave or (lambda: os._exit(0))

    def watch() -> None:
        while os.getppid() == parent:
            if not watch_stdin:
                time.sleep(0.5)
                continue
            readable, _, _ = select.select([sys.stdin.fileno()], [], [], 0.5)
            # A supervisor sends this process nothing; whatever arrives is dropped, and b"" is the end.
            if readable and os.read(sys.stdin.fileno(), 65536) == b"":
                break
        leave()

    thread = threading.Thread(target=watch, name="parent-watch", daemon=True)
    thread.start()
    return thread
