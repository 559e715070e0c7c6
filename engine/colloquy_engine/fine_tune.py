"""One fine-tuning job, from its line to its directory."""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import torch

from .adapted_network import network_to_train, release, save_network
from .file_hashes import weights_sha256
from .finished_model import finished_manifest, publish
from .resident_base import LoadedBase, ResidentBase
from .sole_trainer import sole_trainer
from .stop_request import StopRequest
from .supervised_trainer import SupervisedTrainer
from .training_failure import TrainingFailure, as_failure
from .training_job import TrainingJob
from .training_rows import TrainingRows, read_training_rows

Emit = Callable[..., None]


def fine_tune(job: TrainingJob, resident: ResidentBase, stop: StopRequest, emit: Emit) -> None:
    """Trains, and emits the job's events up to `done`, `failed` or `stopped`."""
    try:
        _fine_tune(job, resident, stop, emit)
    except Exception as error:
        resident.forget()  # it may carry half an adapter
        failure = as_failure(error)
        emit("failed", id=job.id, kind=failure.kind, message=str(failure))
        if failure.kind == "internal":
            raise


def _fine_tune(job: TrainingJob, resident: ResidentBase, stop: StopRequest, emit: Emit) -> None:
    began = time.monotonic()
    base = resident.load(job.base_model)
    rows = read_training_rows(job.dataset, base.tokenizer, base.end_tokens, job.settings.max_length)
    facts = _facts(job, base, rows)
    with sole_trainer(Path(job.output_dir), stop) as alone:
        if not alone:
            ending = {"event": "stopped", "id": job.id, "step": 0, "checkpoint": None}
        elif manifest := finished_manifest(Path(job.output_dir), facts):
            ending = {"event": "done", "id": job.id, "output_dir": job.output_dir, "manifest": manifest}
        else:
            ending = _train(job, resident, base, rows, facts, stop, emit, began)
    # Told without the lock: whoever hears of the end finds nothing but the model.
    emit(ending.pop("event"), **ending)


def _train(
    job: TrainingJob, resident: ResidentBase, base: LoadedBase, rows: TrainingRows, facts: dict, stop: StopRequest,
    emit: Emit, began: float,
) -> dict:  # fmt: skip
    """Trains, and gives the event that ends the job."""
    network = network_to_train(base, job)
    trainer = SupervisedTrainer(job, network, base, rows, stop, _fingerprint(facts), emit)
    if not trainer.run():
        return {"event": "stopped", "id": job.id, "step": trainer.state.global_step, "checkpoint": trainer.newest_checkpoint}
    _require_finite(network)
    outcome = {
        "steps": trainer.state.global_step,
        "final_loss": trainer.final_loss(),
        "tokens": round(sum(map(len, rows.input_ids)) * job.settings.num_train_epochs),
        "seconds": round(time.monotonic() - began, 3),
    }
    manifest = publish(Path(job.output_dir), lambda directory: save_network(network, base, directory), facts | outcome)
    release(base, network)
    if not job.settings.use_peft:
        resident.forget()  # its own weights were trained
    return {"event": "done", "id": job.id, "output_dir": job.output_dir, "manifest": manifest}


def _facts(job: TrainingJob, base: LoadedBase, rows: TrainingRows) -> dict:
    """What determines the result; a checkpoint of other facts is not continued."""
    try:
        init = weights_sha256(Path(job.init_adapter)) if job.init_adapter else None
    except OSError as error:
        raise TrainingFailure("missing_model", f"init_adapter {job.init_adapter} cannot be read: {error}") from error
    return {
        "base_model": {"name_or_path": base.name_or_path, "sha256": base.sha256},
        "init_adapter": init,
        "dataset": {"sha256": rows.sha256, "rows": len(rows.input_ids), "dropped_rows": rows.dropped},
        "settings": job.settings.model_dump(),
        "seed": job.seed,
    }


def _fingerprint(facts: dict) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _require_finite(network: torch.nn.Module) -> None:
    for name, parameter in network.named_parameters():
        if parameter.requires_grad and not torch.isfinite(parameter).all():
            raise TrainingFailure("nan_loss", f"The last step left NaN or infinite values in {name}. Lower the learning_rate.")
