"""The rows of an optimiser step, divided among ranks and cut into micro-batches. A device works on one micro-batch at a time.

The step has the same rows, and so the same gradient, however they are cut. What does not fit into memory is cut smaller.
"""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..protocol.trainer_messages import MicroBatchChanged, Settings, TrainingFailure
from .execution import Execution
from .training_rows import IGNORED

RECORD = "micro-batch.json"  # beside the checkpoints of a job

Example = dict  # a row of an objective's dataset
Length = Callable[[Example], int]  # how many tokens a row has


@dataclass(frozen=True)
class MicroBatch:
    """How much the device works on at once."""

    rows: int
    gradient_checkpointing: bool

    def smaller(self) -> "MicroBatch | None":
        """What to try when this one does not fit: half of the rows, and gradient checkpointing when one row is left. None: nothing is left to try."""
        if self.rows > 1:
            return replace(self, rows=self.rows // 2)
        return None if self.gradient_checkpointing else replace(self, gradient_checkpointing=True)

    def remember(self, checkpoint_dir: Path) -> None:
        """Writes it down, so that the next attempt at the job begins with it."""
        checkpoint_dir.mkdir(parents=True, exist_ok=True)
        (checkpoint_dir / RECORD).write_text(json.dumps(asdict(self)))


class SmallerNextTime(Exception):
    """A rank lacked memory while the others waited for its part of a layer: all have to begin again, with a smaller micro-batch."""

    def __init__(self, micro_batch: MicroBatch):
        super().__init__(f"A micro-batch did not fit into memory; the next attempt has micro-batches of {micro_batch.rows} rows")
        self.micro_batch = micro_batch


def micro_batch_changed(job_id: str, step: int, micro_batch: MicroBatch) -> MicroBatchChanged:
    return MicroBatchChanged(id=job_id, step=step, rows=micro_batch.rows, gradient_checkpointing=micro_batch.gradient_checkpointing)


def first_micro_batch(settings: Settings, execution: Execution, ranks: int) -> MicroBatch:
    """What a job begins with when no attempt has found what fits."""
    share = math.ceil(settings.per_device_train_batch_size * settings.gradient_accumulation_steps / ranks)
    rows = share if execution.any_length else settings.per_device_train_batch_size
    return MicroBatch(rows, settings.gradient_checkpointing)


def after_lack(micro_batch: MicroBatch, share: list[Example], length_of: Length, error: BaseException) -> MicroBatch:
    """What to try when these rows did not fit. Raises TrainingFailure `out_of_memory` when nothing is left to try."""
    smaller = replace(micro_batch, rows=min(micro_batch.rows, len(share))).smaller()
    if smaller is None:
        longest = max(map(length_of, share))
        raise TrainingFailure(
            "out_of_memory",
            f"A single row of {longest} tokens or fewer does not fit into memory, not even with gradient checkpointing ({type(error).__name__}: {error}). "
            f"What helps: a max_length below {longest}, which leaves the longest rows out; the method lora in place of full; more processes for a full "
            "fine-tune, because they share its weights; a device that nothing else uses; a smaller base model",
        ) from error
    return smaller


def smallest(tried: list[MicroBatch]) -> MicroBatch:
    """The one that needs the least memory."""
    return min(tried, key=lambda each: (each.rows, not each.gradient_checkpointing))


def remembered(checkpoint_dir: Path) -> MicroBatch | None:
    """The micro-batch of an earlier attempt that did not fit into memory; None when there was none."""
    try:
        return MicroBatch(**json.loads((checkpoint_dir / RECORD).read_text()))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None


def share_of(examples: list[Example], rank: int, ranks: int, length_of: Length) -> list[Example]:
    """The rows of a step for one of the ranks: about as many tokens for each. A single rank has all of them, in their order."""
    if ranks == 1:
        return examples
    shares: list[list[Example]] = [[] for _ in range(ranks)]
    tokens = [0] * ranks
    for example in sorted(examples, key=lambda example: -length_of(example)):
        least = tokens.index(min(tokens))
        shares[least].append(example)
        tokens[least] += length_of(example)
    return shares[rank]


def cut(examples: list[Example], rows: int) -> list[list[Example]]:
    """The micro-batches of these rows."""
    return [examples[place : place + rows] for place in range(0, len(examples), rows)]


def learnt_tokens(examples: list[Example]) -> int:
    """The number of tokens of rows of tokens and labels that the loss counts. Nothing predicts a row's first token."""
    return sum(label != IGNORED for example in examples for label in example["labels"][1:])
