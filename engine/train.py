"""The trainer: one resident process that fine-tunes models one after another.

    python engine/train.py --exit-with-parent
    python -m torch.distributed.run --standalone --nproc_per_node 2 engine/train.py --exit-with-parent

Jobs come in on stdin and events go out on stdout, each one JSON object a line; logs go to stderr.
colloquy_engine/protocol/trainer_messages.py defines both. Of several processes (ranks), the first one reads and writes. `{"stop": ID}` on stdin ends one
job after a checkpoint. At SIGTERM the trainer writes a checkpoint and ends.

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
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from colloquy_engine.training.execution import Wanted

from colloquy_engine.protocol.process import ProtocolStdout, StopRequest, default_threads, leave, leave_with_parent, loading_libraries, quiet_libraries
from colloquy_engine.protocol.trainer_messages import Failed, Ready, TrainingFailure, as_failure, parse_job, parse_stop

END = None  # in the queue of lines: no more jobs


def main() -> int:
    options = _parse_options()
    quiet_libraries()
    protocol = ProtocolStdout()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s")
    if options.check:
        return _check(options, protocol)
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    stop = StopRequest(wake=lambda: lines.put(END))
    if options.exit_with_parent:
        leave_with_parent(watch_stdin=False)

    with loading_libraries():
        import torch

        from colloquy_engine.training.fine_tune import fine_tune
        from colloquy_engine.training.network import ResidentBase
        from colloquy_engine.training.ranks import Ranks

    ranks = Ranks()
    ranks.join()
    if ranks.first:
        threading.Thread(target=_read_lines, args=(lines, stop, options.exit_with_parent, ranks.size), name="stdin", daemon=True).start()
        protocol.emit(Ready())
    resident = ResidentBase(_wanted(options, ranks.size), ranks)
    while (line := ranks.of_first(_next_line(lines, stop) if ranks.first else END)) is not END:
        try:
            job = parse_job(line)
        except TrainingFailure as failure:
            if ranks.first:
                protocol.emit(Failed(id=_id_of(line), kind=failure.kind, message=str(failure)))
            continue
        try:
            if not fine_tune(job, resident, stop.of_job(job.id), protocol.emit, ranks):
                os._exit(1)  # the other ranks may wait for this one, which torchrun then ends
        except Exception:
            traceback.print_exc()  # the event has the message; the log gets the traceback
            if ranks.size > 1:
                os._exit(1)
    ranks.leave()
    return 0


def _next_line(lines: queue.SimpleQueue, stop: StopRequest) -> str | None:
    return END if stop.requested else lines.get()


def _wanted(options: argparse.Namespace, processes: int) -> "Wanted":
    from colloquy_engine.training.execution import Wanted

    padding_free = None if options.padding_free is None else options.padding_free == "true"
    threads = options.threads or (None if processes == 1 else max(1, default_threads() // processes))
    return Wanted(padding_free, options.attn_implementation, processes, threads)


def _check(options: argparse.Namespace, protocol: ProtocolStdout) -> int:
    from colloquy_engine.protocol.server_messages import CheckTraining, TrainingChecked

    with loading_libraries():
        from colloquy_engine.training.check import check_base
        from colloquy_engine.training.made_up import write_made_up_adapter

    model = options.check
    try:
        _wanted(options, options.processes).require_available()
        request = CheckTraining.model_validate_json(sys.stdin.readline())
        modules = check_base(model, request)
        if request.made_up_adapter is not None and request.lora_target_modules is not None:
            write_made_up_adapter(model, request.lora_target_modules, request.made_up_adapter)
        protocol.emit(TrainingChecked(modules=len(modules)))
    except Exception as error:
        failure = as_failure(error)
        protocol.emit(Failed(id=None, kind=failure.kind, message=str(failure)))
    return 0


def _read_lines(lines: queue.SimpleQueue, stop: StopRequest, exit_with_parent: bool, ranks: int) -> None:
    for line in sys.stdin:
        if (asked := parse_stop(line)) is not None:
            stop.job(asked.stop)
        elif line.strip():
            stop.submitted(_id_of(line) or "")
            lines.put(line)
    if exit_with_parent:
        # The parent is gone, so this ends even in the middle of a step. With other ranks it is no success: torchrun ends them then.
        os._exit(0 if ranks == 1 else 1)
    lines.put(END)


def _id_of(line: str) -> str | None:
    try:
        found = json.loads(line).get("id")
    except (ValueError, AttributeError):
        return None
    return found if isinstance(found, str) else None


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, help="threads of the arithmetic on a CPU (default: one for a small model, all cores but one for others)")
    parser.add_argument("--check", metavar="MODEL", help="check whether a model can be fine-tuned as the request on stdin asks, and exit")
    parser.add_argument("--exit-with-parent", action="store_true", help="end when stdin closes or the parent process dies")
    padding_free = "whether rows follow each other without padding (default: yes where the attention has kernels for it)"
    parser.add_argument("--padding-free", choices=["true", "false"], help=padding_free)
    parser.add_argument("--attn-implementation", help="the attention's name in transformers, or sdpa_varlen for PyTorch's own over rows without padding")
    parser.add_argument("--processes", type=int, default=1, help="with --check: how many processes torchrun will start")
    return parser.parse_args()


if __name__ == "__main__":
    leave(main())
