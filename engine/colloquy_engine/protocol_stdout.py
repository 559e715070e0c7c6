"""Keeping stdout for the protocol's JSON lines."""

import json
import os
import sys


class ProtocolStdout:
    """Takes stdout for itself; whatever libraries print, from Python or C, goes to stderr from then on."""

    def __init__(self) -> None:
        self._stream = os.fdopen(os.dup(sys.stdout.fileno()), "w")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def emit(self, event: str, **fields: object) -> None:
        """Writes one event as one line. NaN has no JSON, so a caller must not send it."""
        self._stream.write(json.dumps({"event": event, **fields}, allow_nan=False) + "\n")
        self._stream.flush()
