"""Gives an experiment's metrics to Weights & Biases: `track_wandb.py SECONDS PROJECT [FOLDER] < metrics.jsonl`, by the Python that has wandb.

A run is made whole, from the first line on, under an id that follows from the experiment: it takes the place of what the server had of
it. With a FOLDER the run stays there, for `wandb sync`; without one it is sent at once. The client gets the metrics and the experiment's
settings alone: nothing of this machine, no console and no list of packages. Exits with 3 where wandb cannot be imported, and with 4 when
it was not done after so many seconds: the client waits for a server that takes a request and never answers it, and would do so for ever.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

try:
    import wandb
except ImportError:
    sys.exit(3)


def end_after(seconds: int) -> None:
    """Ends this program after so many seconds, and when it is stopped, with what is under way: its scratch folder does not stay."""
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(4))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.alarm(seconds)


def main(seconds: str, project: str, folder: str | None = None) -> None:
    end_after(int(seconds))
    experiment, *lines = map(json.loads, sys.stdin)
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        make_run(experiment, lines, project, folder)
        return
    with tempfile.TemporaryDirectory(prefix="colloquy-wandb-") as scratch:
        made = make_run(experiment, lines, project, scratch)
        environment = {**os.environ, "WANDB_MODE": "online"}
        command = [sys.executable, "-m", "wandb", "sync", str(made)]
        # It leaves a folder with its log where it runs.
        sent = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, cwd=scratch)
        if sent.returncode != 0:
            sys.exit(1)


def make_run(experiment: dict, lines: list[dict], project: str, folder: str) -> Path:
    """Makes the run in the folder, in place of an earlier one, and returns where it is."""
    name = experiment["run"]
    number = sha256(f"{name}-{experiment['id']}".encode()).hexdigest()[:16]
    for earlier in Path(folder, "wandb").glob(f"offline-run-*-{number}"):
        shutil.rmtree(earlier)
    run = wandb.init(
        project=project,
        id=number,
        name=name,
        group=experiment["group"],
        config=experiment["config"],
        dir=folder,
        mode="offline",
        settings=wandb.Settings(
            console="off",
            disable_code=True,
            disable_git=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_disable_machine_info=True,
            x_save_requirements=False,
            host="",
        ),
    )
    for axis in ("iteration", "optimizer_step"):
        run.define_metric(axis, hidden=True)
    run.define_metric("*", step_metric="iteration", step_sync=False)
    run.define_metric("loss/*", step_metric="optimizer_step", step_sync=False)
    for line in lines:
        axis = "optimizer_step" if "/loss/" in line["key"] else "iteration"
        run.log({**line["metrics"], axis: line["step"], "worked_seconds": line["seconds"]})
    where = Path(run.dir).parent
    run.finish()
    return where


if __name__ == "__main__":
    main(*sys.argv[1:])
