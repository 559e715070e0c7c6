"""The trainer: one resident process that fine-tunes models one after another.

    python engine/train.py --exit-with-parent

Jobs come on stdin and events go to stdout, each one JSON object a line; logs go to stderr. engine/README.md has both.
SIGTERM: checkpoint, then leave.
"""

import argparse
import logging
import os
import queue
import sys
import threading
import traceback

# No run may depend on, or tell anything to, the network; a path is a path, and a cached hub model is used as it is.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from colloquy_engine.parent_watch import leave_with_parent
from colloquy_engine.protocol_stdout import ProtocolStdout
from colloquy_engine.stop_request import StopRequest
from colloquy_engine.threads import default_threads

END = None  # in the queue of lines: no more jobs


def main() -> int:
    options = _parse_options()
    protocol = ProtocolStdout()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s")
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    stop = StopRequest(wake=lambda: lines.put(END))
    if options.exit_with_parent:
        leave_with_parent(watch_stdin=False)
    threading.Thread(target=_read_lines, args=(lines, options.exit_with_parent), name="stdin", daemon=True).start()

    import torch

    from colloquy_engine.fine_tune import fine_tune
    from colloquy_engine.resident_base import ResidentBase
    from colloquy_engine.training_failure import TrainingFailure
    from colloquy_engine.training_job import parse_job

    torch.set_num_threads(options.threads or default_threads())
    resident = ResidentBase()
    protocol.emit("ready")
    while not stop.requested and (line := lines.get()) is not END:
        try:
            job = parse_job(line)
        except TrainingFailure as failure:
            protocol.emit("failed", id=_id_of(line), kind=failure.kind, message=str(failure))
            continue
        try:
            fine_tune(job, resident, stop, protocol.emit)
        except Exception:
            traceback.print_exc()  # the event has the message; the place belongs in the log
    return 0


def _read_lines(lines: queue.SimpleQueue, exit_with_parent: bool) -> None:
    for line in sys.stdin:
        if line.strip():
            lines.put(line)
    if exit_with_parent:
        os._exit(0)  # our parent is gone: also in the middle of a step
    lines.put(END)


def _id_of(line: str) -> str | None:
    import json

    try:
        found = json.loads(line).get("id")
    except (ValueError, AttributeError):
        return None
    return found if isinstance(found, str) else None


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, help="of the arithmetic on a CPU (default: all cores but one)")
    parser.add_argument("--exit-with-parent", action="store_true", help="leave when stdin closes or the parent dies")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
