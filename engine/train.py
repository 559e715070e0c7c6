"""The trainer: one resident process that fine-tunes models one after another.

    python engine/train.py --exit-with-parent

Jobs come in on stdin and events go out on stdout, each one JSON object a line; logs go to stderr.
colloquy_engine/protocol/trainer_messages.py defines both. At SIGTERM it writes a checkpoint and ends.

    python engine/train.py --check MODEL

Reads one request like the server's /v1/check_training from stdin, answers with its answer or a `failed` event, and ends.
"""

import argparse
import json
import logging
import os
import queue
import sys
import threading
import traceback

from colloquy_engine.protocol.process import ProtocolStdout, StopRequest, default_threads, leave_with_parent, quiet_libraries
from colloquy_engine.protocol.trainer_messages import Failed, Ready, TrainingFailure, as_failure, parse_job

END = None  # in the queue of lines: no more jobs


def main() -> int:
    options = _parse_options()
    quiet_libraries()
    protocol = ProtocolStdout()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s")
    if options.check:
        return _check(options.check, protocol)
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    stop = StopRequest(wake=lambda: lines.put(END))
    if options.exit_with_parent:
        leave_with_parent(watch_stdin=False)
    threading.Thread(target=_read_lines, args=(lines, options.exit_with_parent), name="stdin", daemon=True).start()

    import torch

    from colloquy_engine.training.fine_tune import fine_tune
    from colloquy_engine.training.network import ResidentBase

    torch.set_num_threads(options.threads or default_threads())
    resident = ResidentBase()
    protocol.emit(Ready())
    while not stop.requested and (line := lines.get()) is not END:
        try:
            job = parse_job(line)
        except TrainingFailure as failure:
            protocol.emit(Failed(id=_id_of(line), kind=failure.kind, message=str(failure)))
            continue
        try:
            fine_tune(job, resident, stop, protocol.emit)
        except Exception:
            traceback.print_exc()  # the event has the message; the log gets the traceback
    return 0


def _check(model: str, protocol: ProtocolStdout) -> int:
    from colloquy_engine.protocol.server_messages import CheckTraining, TrainingChecked
    from colloquy_engine.training.check import check_base
    from colloquy_engine.training.made_up import write_made_up_adapter

    try:
        request = CheckTraining.model_validate_json(sys.stdin.readline())
        modules = check_base(model, request)
        if request.made_up_adapter is not None and request.lora_target_modules is not None:
            write_made_up_adapter(model, request.lora_target_modules, request.made_up_adapter)
        protocol.emit(TrainingChecked(modules=len(modules)))
    except Exception as error:
        failure = as_failure(error)
        protocol.emit(Failed(id=None, kind=failure.kind, message=str(failure)))
    return 0


def _read_lines(lines: queue.SimpleQueue, exit_with_parent: bool) -> None:
    for line in sys.stdin:
        if line.strip():
            lines.put(line)
    if exit_with_parent:
        os._exit(0)  # the parent is gone, so this ends even in the middle of a step
    lines.put(END)


def _id_of(line: str) -> str | None:
    try:
        found = json.loads(line).get("id")
    except (ValueError, AttributeError):
        return None
    return found if isinstance(found, str) else None


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, help="threads of the arithmetic on a CPU (default: all cores but one)")
    parser.add_argument("--check", metavar="MODEL", help="check whether a model can be fine-tuned as the request on stdin asks, and exit")
    parser.add_argument("--exit-with-parent", action="store_true", help="end when stdin closes or the parent process dies")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
