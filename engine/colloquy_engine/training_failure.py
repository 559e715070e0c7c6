"""Why a fine-tune failed, in the protocol's words."""

import errno
from typing import Literal

FailureKind = Literal["nan_loss", "out_of_memory", "disk_full", "bad_data", "bad_settings", "missing_model", "in_use", "internal"]

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_DISK_FULL_WORDS = ("No space left on device", "Disk quota exceeded", "os error 28", "PytorchStreamWriter failed", "file write failed")
_MEMORY_WORDS = ("can't allocate memory", "out of memory", "not enough memory", "Cannot allocate memory")


class TrainingFailure(Exception):
    """A failure whose kind is known where it happens."""

    def __init__(self, kind: FailureKind, message: str):
        super().__init__(message)
        self.kind = kind


def as_failure(error: BaseException) -> TrainingFailure:
    """Names any error. Libraries wrap a full disk and spent memory in errors of their own, so their words count too."""
    if isinstance(error, TrainingFailure):
        return error
    message = f"{type(error).__name__}: {error}"
    if isinstance(error, OSError) and error.errno in _DISK_FULL or _mentions(error, _DISK_FULL_WORDS):
        return TrainingFailure("disk_full", f"{message}. Free some space; a retry goes on from the newest checkpoint.")
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or _mentions(error, _MEMORY_WORDS):
        return TrainingFailure(
            "out_of_memory",
            f"{message}. Lower per_device_train_batch_size (and raise gradient_accumulation_steps) or max_length.",
        )
    return TrainingFailure("internal", message)


def _mentions(error: BaseException, words: tuple[str, ...]) -> bool:
    return any(word in str(error) for word in words)
