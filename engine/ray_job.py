"""The program of one attempt at a fine-tune on a Ray cluster. The worker submits it as a Ray job (src/engines/trainer/ray.ts).

    python FOLDER/engine/ray_job.py FOLDER

FOLDER is in the store that the cluster shares with the worker, and has a copy of the engine. The program reads `job.json` there and has Ray Train
start the ranks, on as many hosts as they need. Rank 0 appends its events to `events.jsonl`; this program appends why another rank failed to
`failures.jsonl`. At SIGTERM the ranks write a checkpoint and end.
"""

import asyncio
import importlib.util
import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from colloquy_engine.protocol.trainer_messages import RayJob
    from ray.train import RunConfig, ScalingConfig

BEGUN_BEFORE = 75  # the exit status of a second driver of one attempt


def main() -> int:
    folder = Path(sys.argv[1])
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # nothing has begun yet
    if not _is_first_driver(folder):
        print("Another job began this attempt before.", flush=True)
        return BEGUN_BEFORE
    try:
        return _train(folder)
    except ImportError as error:
        words = f"The Python of the cluster ({sys.executable}) lacks a package: {error}. It needs what engine/requirements.lock names, and ray[default,train]."
        # It may lack what the engine's own messages need.
        failed = {"event": "failed", "id": None, "kind": "bad_trainer", "message": words}
        (folder / "failures.jsonl").write_text(json.dumps(failed) + "\n")
        return 1


def _train(folder: Path) -> int:
    """Has Ray Train train the ranks, and returns the exit status of this program."""
    from colloquy_engine.protocol.trainer_messages import EventFile, RayJob

    import ray
    from ray.train.torch import TorchConfig, TorchTrainer
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    lacking = [name for name in ("transformers", "peft", "trl") if importlib.util.find_spec(name) is None]
    if lacking:
        raise ImportError(f"No module named {' and '.join(lacking)}")
    job = RayJob.model_validate_json((folder / "job.json").read_text())
    ray.init(logging_level="WARNING")
    # With the driver it dies, and without the driver it is of no use.
    beside_driver = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    desk = ray.remote(num_cpus=0, scheduling_strategy=beside_driver)(Desk).remote()
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=_stop, args=(ray, desk), daemon=True).start())
    scaling, run = _how_to_run(folder, job)
    config = {"folder": str(folder), "id": job.job.id, "nonce": job.nonce, "desk": desk}
    never = TorchConfig(timeout_s=30 * 24 * 3600)  # a silence is noticed by the worker
    try:
        TorchTrainer(train_rank, train_loop_config=config, scaling_config=scaling, run_config=run, torch_config=never).fit()
        return 0
    except Exception:
        traceback.print_exc()
        failures = EventFile(folder / "failures.jsonl")
        for failure in ray.get(desk.reported.remote()):
            failures.write(failure)
        return 1


def _how_to_run(folder: Path, job: "RayJob") -> "tuple[ScalingConfig, RunConfig]":
    from pyarrow.fs import LocalFileSystem
    from ray.train import FailureConfig, RunConfig, ScalingConfig

    gpus = {"GPU": job.gpus_per_process} if job.gpus_per_process else {}
    resources = {"CPU": job.cpus_per_process} | gpus
    scaling = ScalingConfig(num_workers=job.processes, use_gpu=bool(gpus), resources_per_worker=resources)
    # A failed attempt ends here. The worker begins the next one, which may have other devices.
    once = FailureConfig(max_failures=0, max_preemption_failures=0)
    # With its file system a path is no address: it may have any character.
    return scaling, RunConfig(name="train", storage_path=str(folder), storage_filesystem=LocalFileSystem(), failure_config=once)


def _is_first_driver(folder: Path) -> bool:
    """Two drivers of one attempt would write the same files: one on a cluster that lost its head, and one on its successor."""
    try:
        os.close(os.open(folder / "begun", os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False


def _stop(ray, desk) -> None:
    try:
        if ray.get(desk.request_stop.remote()):
            return  # the ranks write a checkpoint and end, and so does this program
    except ray.exceptions.RayError:
        traceback.print_exc()
    os._exit(0)  # no rank has begun, or none can be told


class Desk:
    """An actor that the driver and the ranks share: the driver leaves the request to stop, a rank its failure."""

    def __init__(self) -> None:
        self._stop, self._joined, self._failures = asyncio.Event(), False, []

    async def join(self) -> None:
        self._joined = True

    async def request_stop(self) -> bool:
        """Returns whether a rank has begun."""
        self._stop.set()
        return self._joined

    async def stop_requested(self) -> None:
        """Returns when a stop is requested."""
        await self._stop.wait()

    async def report(self, failure: str) -> None:
        self._failures.append(failure)

    async def reported(self) -> list[str]:
        return self._failures


def train_rank(config: dict) -> None:
    """Runs in each rank, in a process of Ray's that knows nothing of the engine yet."""
    import json

    import ray

    folder, desk = Path(config["folder"]), config["desk"]
    ray.get(desk.join.remote())
    nonce, place = folder / "nonce", ray.util.get_node_ip_address()
    if not nonce.exists() or nonce.read_text() != config["nonce"]:
        words = f"The store is not visible on the node {place}: it has no {nonce}, or another one. Mount the store there at this path."
        failed = {"event": "failed", "id": config["id"], "kind": "bad_trainer", "message": words}
        ray.get(desk.report.remote(json.dumps(failed)))
        raise RuntimeError(words)
    sys.path.insert(0, str(folder / "engine"))
    from colloquy_engine.training.ray_rank import train

    train(folder, desk)


if __name__ == "__main__":
    sys.exit(main())
