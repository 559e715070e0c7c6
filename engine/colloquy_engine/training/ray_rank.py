"""One rank of a fine-tune on a Ray cluster: a worker of Ray Train. It differs from a rank of torchrun in three things only: Ray has made the ranks
meet, the request to stop comes from an actor, and events go to a file in the shared store."""

import os
import threading
from pathlib import Path

import ray
import torch
import torch.distributed as dist

from ..protocol.process import quiet_libraries
from ..protocol.trainer_messages import EventFile, Failed, RayJob, TrainerEvent
from .execution import Wanted
from .fine_tune import fine_tune
from .network import ResidentBase
from .ranks import Ranks


def train(folder: Path, desk) -> None:
    """Fine-tunes as job.json in the attempt's folder says. Raises when this rank cannot go on, which ends the others."""
    quiet_libraries()
    asked = RayJob.model_validate_json((folder / "job.json").read_text())
    ranks = Ranks()
    if ranks.size == 1:
        _leave_alone()
    ranks.join()
    events = EventFile(folder / "events.jsonl") if ranks.first else None

    def emit(event: TrainerEvent) -> None:
        if events is not None:
            events.emit(event)
        elif isinstance(event, Failed):
            ray.get(desk.report.remote(event.model_dump_json()))

    # Ray has given each rank its card. Their number says nothing of the cards of this host.
    resident = ResidentBase(Wanted(asked.padding_free, asked.attn_implementation, threads=max(1, int(asked.cpus_per_process))), ranks)
    if not fine_tune(asked.job, resident, StopOfDesk(desk), emit, ranks):
        raise RuntimeError("This rank cannot train any more; the events say why.")
    if ranks.size == 1 and events is not None and events.failed:
        raise RuntimeError("The fine-tune failed; the events say why.")


class StopOfDesk:
    """Like StopRequest: `requested` becomes true when the driver is asked to stop."""

    def __init__(self, desk) -> None:
        self.requested = False
        threading.Thread(target=self._wait, args=(desk,), name="stop", daemon=True).start()

    def _wait(self, desk) -> None:
        try:
            ray.get(desk.stop_requested.remote())
            self.requested = True
        except Exception:  # the driver has died, and Ray ends this process
            pass


def _leave_alone() -> None:
    """Makes a single rank a process without others, as a trainer on one device is. Libraries would make it a group of one."""
    if dist.is_initialized():
        dist.destroy_process_group()
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT"):
        os.environ.pop(name, None)
