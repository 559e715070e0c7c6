"""SIGTERM and SIGINT: finish the step in hand, write a checkpoint, leave."""

import signal
from collections.abc import Callable


class StopRequest:
    """True in `requested` once somebody asked this process to leave."""

    def __init__(self, wake: Callable[[], None]):
        """`wake` is called from the signal handler; it must be reentrant (SimpleQueue.put is)."""
        self.requested = False
        self._wake = wake
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._request)

    def _request(self, *_) -> None:
        self.requested = True
        self._wake()
