"""The rows of an optimiser step, divided among ranks and cut into micro-batches. A device works on one micro-batch at a time.

The step has the same rows, and so the same gradient, however they are cut. What does not fit into memory is cut smaller.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from .training_rows import IGNORED

RECORD = "micro-batch.json"  # beside the checkpoints of a job

Example = dict  # a row as TRL's collator takes it: input_ids, labels, and the row's weight if rows have weights


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


def smallest(tried: list[MicroBatch]) -> MicroBatch:
    """The one that needs the least memory."""
    return min(tried, key=lambda each: (each.rows, not each.gradient_checkpointing))


def remembered(checkpoint_dir: Path) -> MicroBatch | None:
    """The micro-batch of an earlier attempt that did not fit into memory; None when there was none."""
    try:
        return MicroBatch(**json.loads((checkpoint_dir / RECORD).read_text()))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None


def share_of(examples: list[Example], rank: int, ranks: int) -> list[Example]:
    """The rows of a step for one of the ranks: about as many tokens for each. A single rank has all of them, in their order."""
    if ranks == 1:
        return examples
    shares: list[list[Example]] = [[] for _ in range(ranks)]
    tokens = [0] * ranks
    for example in sorted(examples, key=lambda example: -len(example["input_ids"])):
        least = tokens.index(min(tokens))
        shares[least].append(example)
        tokens[least] += len(example["input_ids"])
    return shares[rank]


def cut(examples: list[Example], rows: int) -> list[list[Example]]:
    """The micro-batches of these rows."""
    return [examples[place : place + rows] for place in range(0, len(examples), rows)]


def learnt_tokens(examples: list[Example]) -> int:
    """The number of tokens that the loss counts. Nothing predicts a row's first token."""
    return sum(label != IGNORED for example in examples for label in example["labels"][1:])
