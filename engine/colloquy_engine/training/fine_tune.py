"""One fine-tuning job, from its request to its model: the events that it emits, and the lock that keeps other trainers out."""

import fcntl
import hashlib
import json
import logging
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch

from ..protocol.process import JobStop, refused_by_system
from ..protocol.trainer_messages import Done, Failed, Stopped, TrainerEvent, TrainingFailure, TrainingJob, as_failure
from .micro_batches import SmallerNextTime, micro_batch_changed
from .moved import can_be_measured, moved_from, never_measure_again, trained_weights
from .network import LoadedBase, ResidentBase, base_sha256, memory_of_one_more, network_to_train, release, save_network, weights_on_disk
from .objectives import trainer_of
from .outputs import finished_manifest, publish, weights_sha256
from .ranks import Apart, RankLost, Ranks, is_rank_lost, own_part, own_parts, whole_weights
from .training_rows import TrainingRows, read_training_rows

PATIENCE_SECONDS = 60

Emit = Callable[[TrainerEvent], None]


def fine_tune(job: TrainingJob, resident: ResidentBase, stop: JobStop, emit: Emit, ranks: Ranks) -> bool:
    """Trains, and emits the job's events, the last of which is `done`, `failed` or `stopped`. Raises only what no kind names; RankLost.

    Of several ranks, the first one emits. Only a rank that fails knows why, so it emits that itself. Returns false when these ranks cannot
    train any more.
    """
    try:
        _fine_tune(job, resident, stop, emit if ranks.first else _say_nothing, ranks)
    except SmallerNextTime as again:
        again.micro_batch.remember(Path(job.checkpoint_dir))
        emit(micro_batch_changed(job.id, 0, again.micro_batch))
        logging.warning("%s", again)
        return False
    except Apart as apart:
        # All steps are trained, and their checkpoint is there.
        never_measure_again(Path(job.checkpoint_dir))
        logging.warning("How far the model moved cannot be measured. The next attempt makes the model without: %s", apart)
        return False
    except Exception as error:
        if ranks.size > 1 and is_rank_lost(error):
            raise RankLost(str(error)) from error
        resident.forget()  # parts of an adapter may be left in it
        failure = as_failure(error)
        emit(Failed(id=job.id, kind=failure.kind, message=str(failure)))
        if failure.kind == "internal":
            raise
        return ranks.size == 1
    return True


def _say_nothing(_: TrainerEvent) -> None:
    pass


def _fine_tune(job: TrainingJob, resident: ResidentBase, stop: JobStop, emit: Emit, ranks: Ranks) -> None:
    began = time.monotonic()
    base = resident.load_for(job)
    rows = read_training_rows(job.dataset, base.tokenizer, base.end_tokens, job.settings.max_length, trainer_of(job.settings.objective).ROWS)
    facts = _facts(job, rows)
    with sole_trainer(Path(job.output_dir), stop) if ranks.first else nullcontext(True) as alone:
        finished = finished_manifest(Path(job.output_dir), facts) if ranks.first and alone else None
        ending: TrainerEvent | None = None
        if not alone:
            ending = Stopped(id=job.id, step=0, checkpoint=None)
        elif finished is not None:
            ending = Done(id=job.id, output_dir=job.output_dir, manifest=finished, memory=memory_of_one_more(base, ranks))
        if ranks.of_first(ending is None):
            ending = _train(job, resident, base, rows, facts, stop, emit, began, ranks)
    # Emitted after the lock is gone: the reader of this event finds the model and no lock file beside it.
    if ending is not None:
        emit(ending)


def _train(
    job: TrainingJob, resident: ResidentBase, base: LoadedBase, rows: TrainingRows, facts: dict, stop: JobStop,
    emit: Emit, began: float, ranks: Ranks,
) -> Done | Stopped | None:  # fmt: skip
    """Trains, and returns the event that ends the job; None in all ranks but the first."""
    whole_model = job.settings.method == "full"
    sharded = whole_model and ranks.size > 1
    network = network_to_train(base, job)
    start = None if sharded else trained_weights(network)
    trainer = trainer_of(job.settings.objective)(job, network, base, rows, stop, _fingerprint(facts), emit, ranks, resident.fits(job))
    finished = trainer.run()
    resident.remember_fit(job, trainer.micro_batch)
    if not finished:
        release(base, trainer.model)
        if whole_model:
            resident.forget()  # its own weights were trained
        return Stopped(id=job.id, step=trainer.state.global_step, checkpoint=trainer.newest_checkpoint)
    network = trainer.model
    _require_finite(network)
    weights = whole_weights(network) if sharded else None
    if start is None:
        start = own_parts(weights_on_disk(base), network)
    # Ranks that share the weights measure together; else the first does it, and publishes, while the others wait for the next job.
    measures = ranks.of_first(can_be_measured(Path(job.checkpoint_dir))) if sharded else ranks.first
    all_can = ranks.all_can if sharded else bool
    moved = moved_from(start, network, rows, base.tokenizer.pad_token_id or 0, job.seed, all_can) if measures else None
    manifest = None
    if ranks.first:
        outcome = {
            "steps": trainer.state.global_step,
            "final_loss": trainer.final_loss(),
            "losses": trainer.losses(),
            "rewards": trainer.rewards(),
            "peak_learning_rate": trainer.peak_learning_rate(),
            "moved": moved,
            "execution": trainer.carried_out(),
            "tokens": round(rows.tokens * job.settings.num_train_epochs),
            "seconds": round(time.monotonic() - began, 3),
        }
        manifest = publish(Path(job.output_dir), lambda directory: save_network(network, base, directory, weights), facts | outcome)
    release(base, network)
    if whole_model:
        resident.forget()  # its own weights were trained
    return manifest and Done(id=job.id, output_dir=job.output_dir, manifest=manifest, memory=memory_of_one_more(base, ranks))


def _facts(job: TrainingJob, rows: TrainingRows) -> dict:
    """What the result depends on. A checkpoint made from other facts is not continued."""
    try:
        init = weights_sha256(Path(job.init_model)) if job.init_model else None
    except OSError as error:
        if refused_by_system(error):
            raise
        raise TrainingFailure("missing_model", f"init_model {job.init_model} cannot be read: {error}") from error
    return {
        "form": "full" if job.settings.method == "full" else "adapter",
        "base_model": {"name_or_path": job.base_model, "sha256": base_sha256(job.base_model)},
        "init_model": init,
        "dataset": {"sha256": rows.sha256, "rows": len(rows.input_ids), "dropped_rows": rows.dropped, "equal_pairs": rows.equal},
        "settings": job.settings.model_dump(),
        "seed": job.seed,
    }


def _fingerprint(facts: dict) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _require_finite(network: torch.nn.Module) -> None:
    for name, parameter in network.named_parameters():
        if parameter.requires_grad and not torch.isfinite(own_part(parameter)).all():
            raise TrainingFailure("nan_loss", f"The last step left NaN or infinite values in {name}. Lower the learning_rate.")


@contextmanager
def sole_trainer(output_dir: Path, stop: JobStop, patience: float = PATIENCE_SECONDS) -> Iterator[bool]:
    """Holds a lock beside `output_dir` while the block runs, so that two workers with the same fine-tune do not both train it.

    A worker that only stalled leaves its trainer running while another worker begins the same fine-tune. The kernel releases the
    lock when its holder dies, however it dies. Yields False when a stop was requested before the lock was free. Raises TrainingFailure
    `in_use` when the lock is not free after `patience` seconds.
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
        # The last holder may have removed the file meanwhile. A lock on a file without a name excludes no one.
        if os.fstat(descriptor).st_nlink > 0:
            return descriptor
    except BlockingIOError:
        pass
    os.close(descriptor)
    return None
