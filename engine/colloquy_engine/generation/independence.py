"""Does an answer depend on its neighbours in the batch? A second probe of a small model when it is loaded.

In float32, adding up in another order changes a number by about 1e-7, which changes a sampled token once in a few hundred thousand. So the
engine relies on float32 only where each row of a batch gets the same bits whatever the other rows are. Whether that holds depends on the
processor and on the library of matrix products, and no document of theirs says it: it is tried out, with this model's own shapes.
"""

import random

import torch
from torch import nn
from transformers import PreTrainedModel

from .adapters import Adapter
from .exactness import STEPS, Text, engine_logits, random_adapter
from .mixed_adapters import MixedAdapters

_PROMPT_LENGTHS = (1, 5, 9, 17, 31, 40, 66, 129)
_ADAPTER_RANKS = (2, 8)
_BATCH_SIZES = (2, 5, 16, 40)


@torch.inference_mode()
def independent_of_neighbours(network: PreTrainedModel, linears: dict[str, nn.Linear], context_length: int) -> bool:
    """Whether the engine gives a text the same logits, to the last bit, alone and in batches. The network has to be the engine's already."""
    mixed = MixedAdapters(network)
    adapters = [None, *(random_adapter(linears, rank) for rank in _ADAPTER_RANKS if linears)]
    texts = _texts(network, context_length)
    try:
        alone = [_logits(network, mixed, [text], [adapters[place % len(adapters)]]) for place, text in enumerate(texts)]
        for batch in _batches(len(texts)):
            together = _logits(network, mixed, [texts[place] for place in batch], [adapters[place % len(adapters)] for place in batch])
            if any(not torch.equal(row, alone[place][0]) for place, row in zip(batch, together, strict=True)):
                return False
        return True
    finally:
        mixed.unwrap()


def _logits(network: PreTrainedModel, mixed: MixedAdapters, texts: list[Text], of: list[Adapter | None]) -> torch.Tensor:
    """The logits at the end of each text's prompt and in each step, [texts, 1 + steps, vocabulary]."""
    passes = []
    for rows, logits in engine_logits(network, mixed, texts, of, fill_up=True):
        passes.append(logits[torch.tensor(rows).argsort()])
    return torch.stack(passes, 1)


def _batches(texts: int) -> list[list[int]]:
    """Texts in random order, some more than once, so that each one stands in many places."""
    draw = random.Random(0)
    return [[draw.randrange(texts) for _ in range(size)] for size in _BATCH_SIZES]


def _texts(network: PreTrainedModel, context_length: int) -> list[Text]:
    draw = random.Random(1)
    vocabulary = network.get_input_embeddings().weight.shape[0]

    def tokens(count: int) -> list[int]:
        return [draw.randrange(vocabulary) for _ in range(count)]

    room = max(1, context_length - STEPS)
    return [Text(tokens(min(length, room)), tokens(STEPS), adapted=False) for length in _PROMPT_LENGTHS]
