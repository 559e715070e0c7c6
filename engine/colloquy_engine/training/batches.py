"""Batches of rows: TRL's collator with the weights of rows, and the way to the device."""

from collections.abc import Callable

import torch
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from .micro_batches import Example


def collator_of(pad_token: int, padding_free: bool, weighted: bool) -> Callable[[list[Example]], dict]:
    """What makes a batch of rows of tokens and labels: TRL's collator, with weights where rows have them."""
    pad = DataCollatorForLanguageModeling(pad_token_id=pad_token, padding_free=padding_free)
    return _with_weights(pad) if weighted else pad


def _with_weights(pad: DataCollatorForLanguageModeling) -> Callable[[list[Example]], dict]:
    """TRL's collator, which knows only tokens and labels, and beside them the weight of each token that the loss counts."""

    def collate(examples: list[Example]) -> dict:
        weights = torch.tensor([example["weight"] for example in examples])
        if pad.padding_free:
            lengths = torch.tensor([len(example["input_ids"]) for example in examples])
            weights = weights.repeat_interleave(lengths)[None, 1:]
        else:
            weights = weights[:, None]
        return pad(examples) | {"weight": weights}

    return collate


def to_device(device: torch.device, value: object) -> object:
    """On its way to the device, while the device works on."""
    if not isinstance(value, torch.Tensor) or device.type == "cpu":
        return value
    return value.pin_memory().to(device, non_blocking=True)
