"""The messages of the trainer: jobs, and requests to stop one, come in on stdin, events go out on stdout, each one JSON object a line.

src/config/contract.ts declares them; contract.json is generated from it. tests/protocol/test_contract.py fails when a field, type,
bound or allowed value here differs from it.
"""

import errno
import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..training.objectives import OBJECTIVES
from .process import Written

Name = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=0)]
FailureKind = Literal["nan_loss", "out_of_memory", "disk_full", "bad_data", "bad_settings", "bad_trainer", "missing_model", "in_use", "internal"]


class Strict(BaseModel):
    """What is read from a client: an unknown field is an error (it may be a misspelt one), and so is `"8"` or `true` for 8."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Settings(Strict):
    """How to train, by TRL's and PEFT's names. A job gives all of them: their defaults are those of the experiment's config."""

    learning_rate: Annotated[float, Field(gt=0, le=1)]
    num_train_epochs: Annotated[float, Field(gt=0, le=1000)]
    per_device_train_batch_size: Annotated[int, Field(ge=1, le=1024)]
    gradient_accumulation_steps: Annotated[int, Field(ge=1, le=4096)]
    lr_scheduler_type: Literal["linear", "cosine", "constant", "constant_with_warmup", "polynomial", "inverse_sqrt"]
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: Annotated[float, Field(ge=0, le=1)]
    max_length: Annotated[int, Field(ge=1, le=1_048_576)]  # tokens of prompt and completion together
    save_steps: Annotated[int, Field(ge=1, le=1_000_000)]
    gradient_checkpointing: bool
    method: Literal["lora", "qlora", "full"]  # qlora: on a base in 4 bits; full: all weights are trained
    lora_r: Annotated[int, Field(ge=1, le=512)]
    lora_alpha: Annotated[int, Field(ge=1, le=4096)]
    lora_dropout: Annotated[float, Field(ge=0, le=0.99)]
    lora_target_modules: Name | Annotated[list[Name], Field(min_length=1)]
    objective: Literal[OBJECTIVES]
    beta: Annotated[float, Field(gt=0, le=10)]  # of dpo and kto: the greater, the closer the model stays to where it started
    sft_weight: Annotated[float, Field(ge=0, le=100)]  # of dpo and kto: the weight of an imitation term in the loss


class TrainingJob(Strict):
    """What to train, on what, and where the result goes."""

    id: Name
    base_model: Name
    init_model: Name | None
    dataset: Name
    output_dir: Name
    checkpoint_dir: Name
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    settings: Settings


class StopJob(Strict):
    """Asks to end the job of this id after a checkpoint. The trainer lives on."""

    stop: Name


class RayJob(Strict):
    """What the job of a Ray cluster reads: a fine-tune, and the devices that it asks for. `nonce` shows that a node sees the store of the worker."""

    nonce: Name
    processes: Annotated[int, Field(ge=1, le=1024)]
    cpus_per_process: Annotated[int, Field(ge=1, le=1024)]
    gpus_per_process: Annotated[int, Field(ge=0, le=1)]
    padding_free: bool | None
    attn_implementation: Name | None
    job: TrainingJob


class BaseModelFacts(Written):
    name_or_path: str
    sha256: str  # of its weight files


class DatasetFacts(Written):
    sha256: str
    rows: Count
    dropped_rows: Count  # longer than max_length
    equal_pairs: Count  # left out as both answers of a pair have the same tokens


class Moved(Written):
    """How far a fine-tune moved the model from where it started, on a sample of its own rows: training/moved.py."""

    kl_per_token: float  # nats
    tokens: Count  # of the completions that were compared
    rows: Count


class ExecutionFacts(Written):
    """How a fine-tune was carried out. This changes only its speed and its rounding."""

    processes: Annotated[int, Field(ge=1)]
    bf16: bool
    attn_implementation: str
    padding_free: bool
    micro_batch: Annotated[int, Field(ge=1)]  # rows that a device worked on at once, at the end
    gradient_checkpointing: bool


class FileFacts(Written):
    sha256: str
    bytes: Count


class StepLoss(Written):
    step: Count
    loss: float


class StepRewards(Written):
    """The mean rewards of a step's wanted and unwanted answers: beta times how much likelier they are than where the training started."""

    step: Count
    chosen: float
    rejected: float


class Manifest(Written):
    """manifest.json of a finished fine-tune: what it was made from, how it went, and the files that it consists of."""

    format_version: int
    base_model: BaseModelFacts
    form: Literal["adapter", "full"]  # what its files are: a LoRA adapter of the base model, or a whole model
    init_model: str | None  # SHA-256 of its weights
    dataset: DatasetFacts
    settings: dict[str, Any]
    seed: int
    steps: Count
    final_loss: float
    losses: list[StepLoss]  # of at most 50 steps, evenly spread, the first and the last among them
    peak_learning_rate: float  # the highest of all steps
    moved: Moved | None  # None when it could not be measured
    execution: ExecutionFacts
    tokens: Count
    seconds: float
    files: dict[str, FileFacts]
    versions: dict[str, str]
    rewards: list[StepRewards]  # of those of the same steps that had answers of both kinds; none with the objective imitation


class Ready(Written):
    """The trainer waits for jobs."""

    event: Literal["ready"] = "ready"


class Started(Written):
    event: Literal["started"] = "started"
    id: str
    total_steps: Count
    resumed_from_step: Count  # 0, or the step of the checkpoint that training continues from
    rows: Count  # that are trained on
    dropped_rows: Count  # longer than max_length


class Step(Written):
    """One optimiser step."""

    event: Literal["step"] = "step"
    id: str
    step: Count
    total_steps: Count
    loss: float
    learning_rate: float
    tokens_per_second: float
    epoch: float
    memory: Count | None  # bytes that one more trainer of this base model takes, as far as is known; None where one trainer uses the whole machine


class MicroBatchChanged(Written):
    """There was not enough memory: from now on the device works on fewer rows at once. A step has as many rows as before."""

    event: Literal["micro_batch"] = "micro_batch"
    id: str
    step: Count  # the steps that are done
    rows: Annotated[int, Field(ge=1)]
    gradient_checkpointing: bool  # whether it is on from here on


class Checkpoint(Written):
    event: Literal["checkpoint"] = "checkpoint"
    id: str
    step: Count
    path: str


class Done(Written):
    event: Literal["done"] = "done"
    id: str
    output_dir: str
    manifest: Manifest
    memory: Count | None  # as in a step


class Failed(Written):
    """`id` is null when the job could not be read."""

    event: Literal["failed"] = "failed"
    id: str | None
    kind: FailureKind
    message: str


class Stopped(Written):
    """The trainer was asked to stop; `checkpoint` is the newest one."""

    event: Literal["stopped"] = "stopped"
    id: str
    step: Count
    checkpoint: str | None


TrainerEvent = Annotated[Ready | Started | Step | MicroBatchChanged | Checkpoint | Done | Failed | Stopped, Field(discriminator="event")]


class EventFile:
    """A file of events, one JSON object a line, each of them on the disk before the next one: other hosts read it."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
        self.failed = False

    def emit(self, event: Written) -> None:
        """Raises ValueError for NaN and infinity, which JSON cannot express."""
        self.failed = self.failed or isinstance(event, Failed)
        self.write(json.dumps(event.model_dump(), allow_nan=False))

    def write(self, line: str) -> None:
        os.write(self._file, f"{line}\n".encode())
        os.fsync(self._file)


class TrainingFailure(Exception):
    """A failure whose kind is known where it happens."""

    def __init__(self, kind: FailureKind, message: str):
        super().__init__(message)
        self.kind = kind


def parse_stop(line: str) -> StopJob | None:
    """The request in a line of stdin; None when the line is something else."""
    try:
        return StopJob.model_validate_json(line)
    except ValidationError:
        return None


def parse_job(line: str) -> TrainingJob:
    """The job in a line of stdin. Raises TrainingFailure `bad_settings`, which names the fields at fault."""
    try:
        return TrainingJob.model_validate_json(line)
    except ValidationError as invalid:
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'job'}: {fault['msg']}" for fault in invalid.errors()]
        raise TrainingFailure("bad_settings", "; ".join(faults)) from invalid


_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_DISK_FULL_WORDS = ("No space left on device", "Disk quota exceeded", "os error 28", "PytorchStreamWriter failed", "file write failed")
_MEMORY_WORDS = ("can't allocate memory", "out of memory", "not enough memory", "Cannot allocate memory")


def as_failure(error: BaseException) -> TrainingFailure:
    """The failure that an error is. Libraries wrap a full disk and spent memory in their own errors, so the message counts too."""
    if isinstance(error, TrainingFailure):
        return error
    message = f"{type(error).__name__}: {error}"
    if isinstance(error, OSError) and error.errno in _DISK_FULL or _mentions(error, _DISK_FULL_WORDS):
        return TrainingFailure("disk_full", f"{message}. Free some space; a retry goes on from the newest checkpoint.")
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or _mentions(error, _MEMORY_WORDS):
        return TrainingFailure(
            "out_of_memory",
            f"{message}. A lower max_length, a smaller base model or a device that nothing else uses helps",
        )
    return TrainingFailure("internal", message)


def _mentions(error: BaseException, words: tuple[str, ...]) -> bool:
    return any(word in str(error) for word in words)
