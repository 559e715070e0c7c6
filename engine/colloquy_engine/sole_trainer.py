"""One trainer at a time for each model, also when two workers were given the same fine-tune."""

import fcntl
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .stop_request import StopRequest
from .training_failure import TrainingFailure

PATIENCE_SECONDS = 60


@contextmanager
def sole_trainer(output_dir: Path, stop: StopRequest, patience: float = PATIENCE_SECONDS) -> Iterator[bool]:
    """Holds the lock beside `output_dir` while the block runs; gives False when asked to stop before it was to be had.

    A worker that only stalled leaves its trainer running while another worker begins the same fine-tune. The kernel lets go of
    the lock when its holder dies, however it dies. Raises TrainingFailure `in_use` when the holder keeps it.
    """
    path = output_dir.with_name(f".{output_dir.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + patience
    while (descriptor := _lock(path)) is None:
        if stop.requested:
            yield False
            return
        if time.monotonic() > deadline:
            holder = path.read_text() if path.exists() else "another process"
            raise TrainingFailure(
                "in_use", f"{output_dir.name} is being trained by {holder}. It is tried again; end that process if it hangs."
            )
        time.sleep(0.1)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {platform.node()}".encode())
        yield True
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _lock(path: Path) -> int | None:
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Who held it last has removed it: a lock on a file without a name keeps nobody out.
        if os.fstat(descriptor).st_nlink > 0:
            return descriptor
    except BlockingIOError:
        pass
    os.close(descriptor)
    return None
