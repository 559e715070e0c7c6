"""How serve.py and train.py live as processes: stdout for messages only, a clean stop, and no life without the parent."""

import ctypes
import errno
import gc
import json
import logging
import os
import resource
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from pydantic import BaseModel, ConfigDict


def quiet_libraries() -> None:
    """Keeps the Hugging Face libraries from reporting their use and from drawing progress bars. Call it before importing them."""
    for name, value in (("HF_HUB_DISABLE_TELEMETRY", "1"), ("HF_HUB_DISABLE_PROGRESS_BARS", "1"), ("TOKENIZERS_PARALLELISM", "false")):
        os.environ.setdefault(name, value)


@contextmanager
def loading_libraries() -> Iterator[None]:
    """For the block that imports the libraries: it makes no garbage that is worth a search, then or later. TRL and what it brings then loads in
    6.8 s of CPU time instead of 8.2 (on two busy cores), and a search at the end of a fine-tune takes 0.2 s less."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def keep_freed_memory() -> None:
    """Keeps memory that the arithmetic has freed, up to 1 GiB, for what it asks for next. glibc would return large blocks to the system after
    each use, and the system fills each page with zeros before it gives it again: in a small fine-tune half of all time in the system."""
    allocator = ctypes.CDLL(None)
    if sys.platform == "linux" and hasattr(allocator, "mallopt"):
        allocator.mallopt(_M_TRIM_THRESHOLD, 2**30)
        allocator.mallopt(_M_MMAP_THRESHOLD, 2**25)  # the most that glibc takes


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h


def leave(status: int) -> NoReturn:
    """Ends this process at once. Python would first take down all modules of the libraries, which takes 2 s of CPU time after a fine-tune."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


def default_threads() -> int:
    """All cores but one, which HTTP and the clients need. Torch's threads spin while they wait for each other: with one more
    thread than free cores, 1,200 answers took 43 s of CPU time instead of 9 s (on two busy cores)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1)


def resident_memory() -> int:
    """The most memory that this process has had so far, in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


_NOT_THERE = (None, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP)


def refused_by_system(error: BaseException | None) -> bool:
    """Whether the system refused to open or read a file: too many open files, missing rights, a network disk that is away.

    This says nothing about the bytes of the file, so it is never damage and may pass. Libraries raise errors of their own in its place.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno not in _NOT_THERE:
            return True
        error = error.__cause__ or error.__context__
    return False


class Written(BaseModel):
    """A message to a client. All of its fields are written, also those with a default."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class ProtocolStdout:
    """Reserves stdout for the protocol's messages. Anything else that is printed, by Python or by C code, goes to stderr."""

    def __init__(self) -> None:
        self._stream = os.fdopen(os.dup(sys.stdout.fileno()), "w")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def emit(self, event: Written) -> None:
        """Writes one event as one line of JSON. Raises ValueError for NaN and infinity, which JSON cannot express."""
        self._stream.write(json.dumps(event.model_dump(), allow_nan=False) + "\n")
        self._stream.flush()


class StopRequest:
    """`requested` becomes true at SIGTERM or SIGINT: the trainer then finishes its step, writes a checkpoint and leaves.

    A client can also ask for the end of a single job. `of_job` is what that job looks at.
    """

    def __init__(self, wake: Callable[[], None]):
        """`wake` is called from the signal handler; it must be reentrant (SimpleQueue.put is)."""
        self.requested = False
        self._jobs: set[str] = set()
        self._wake = wake
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._request)

    def _request(self, *_) -> None:
        self.requested = True
        self._wake()

    def job(self, name: str) -> None:
        """The job of this name is to end. It has been submitted."""
        self._jobs.add(name)

    def submitted(self, name: str) -> None:
        """A job of this name has been submitted: earlier requests did not mean this one."""
        self._jobs.discard(name)

    def of_job(self, name: str) -> "JobStop":
        return JobStop(self, name)

    def concerns(self, name: str) -> bool:
        return self.requested or name in self._jobs


class JobStop:
    """`requested` becomes true when one job is to end, or the whole trainer."""

    def __init__(self, stop: StopRequest, job: str):
        self._stop, self._job = stop, job

    @property
    def requested(self) -> bool:
        return self._stop.concerns(self._job)


def leave_with_parent(watch_stdin: bool, leave: Callable[[], None] | None = None) -> threading.Thread:
    """Starts a thread that ends this process when its parent has died (or, with `watch_stdin`, has closed our stdin).

    It ends it by `os._exit`: an orphan must not finish its batch, and no other thread may delay the end.
    """
    parent = os.getppid()
    leave = leave or (lambda: os._exit(0))

    def watch() -> None:
        while os.getppid() == parent:
            if not watch_stdin:
                time.sleep(0.5)
                continue
            readable, _, _ = select.select([sys.stdin.fileno()], [], [], 0.5)
            # The supervisor sends nothing to this process. Input is dropped; b"" is the end of stdin.
            if readable and os.read(sys.stdin.fileno(), 65536) == b"":
                break
        leave()

    thread = threading.Thread(target=watch, name="parent-watch", daemon=True)
    thread.start()
    return thread
