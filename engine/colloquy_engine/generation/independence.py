"""Does an answer depend on its neighbours in the batch, or on what was read before it? Probes of a small model when it is loaded.

In float32, adding up in another order changes a number by about 1e-7, which changes a sampled token once in a few hundred thousand. So the
engine relies on float32 only where each row of a batch gets the same bits whatever the other rows are. Whether that holds depends on the
processor and on the library of matrix products, and no document of theirs says it: it is tried out, with this model's own shapes.
"""

import random
from dataclasses import replace

import torch
from torch import nn
from transformers import PreTrainedModel

from .adapters import Adapter
from .exactness import STEPS, Text, engine_logits, random_adapter
from .mixed_adapters import MixedAdapters
from .prompt_cache import ALIKE_TOKENS, PromptCache

_PROMPT_LENGTHS = (1, 5, 9, 17, 31, 40, 66, 129)
_LONG_PROMPT_LENGTHS = (17, 33, 40, 66, 102, 129, ALIKE_TOKENS, 270)
_KNOWN_TOKENS = (16, 58, 150, 270)  # for each batch; a cache finds whole blocks of them
_ADAPTER_RANKS = (2, 8, 16)
_BATCH_SIZES = (2, 5, 16, 40)


@torch.inference_mode()
def independent_of_neighbours(network: PreTrainedModel, linears: dict[str, nn.Linear], context_length: int) -> bool:
    """Whether the engine gives a text the same logits, to the last bit, alone and in batches. The network has to be the engine's already."""
    return _alike(network, linears, _texts(network, context_length, _PROMPT_LENGTHS), [None] * len(_BATCH_SIZES))


@torch.inference_mode()
def independent_of_beginnings(network: PreTrainedModel, linears: dict[str, nn.Linear], context_length: int) -> bool:
    """Whether the logits of a text are the same, to the last bit, when another part of its prompt was read before each time."""
    texts = _texts(network, context_length, _LONG_PROMPT_LENGTHS)
    caches = [PromptCache(exact=True) for _ in _KNOWN_TOKENS]
    mixed, of = MixedAdapters(network), _adapters_of(texts, linears)
    try:
        for known, cache in zip(_KNOWN_TOKENS, caches, strict=True):
            _logits(network, mixed, [replace(text, prompt=text.prompt[:known]) for text in texts], of, cache)
    finally:
        mixed.unwrap()
    return _alike(network, linears, texts, caches)


def _alike(network: PreTrainedModel, linears: dict[str, nn.Linear], texts: list[Text], caches: list[PromptCache | None]) -> bool:
    """Whether each text has the logits that it has alone in batches of all sizes, each with its cache."""
    mixed, of = MixedAdapters(network), _adapters_of(texts, linears)
    try:
        alone = [_logits(network, mixed, [text], [adapter])[0] for text, adapter in zip(texts, of, strict=True)]
        for batch, cache in zip(_batches(len(texts)), caches, strict=True):
            together = _logits(network, mixed, [texts[place] for place in batch], [of[place] for place in batch], cache)
            if any(not torch.equal(row, alone[place]) for place, row in zip(batch, together, strict=True)):
                return False
        return True
    finally:
        mixed.unwrap()


def _adapters_of(texts: list[Text], linears: dict[str, nn.Linear]) -> list[Adapter | None]:
    """The adapter of each text: none, and one of each rank, in turn."""
    adapters = [None, *(random_adapter(linears, rank) for rank in _ADAPTER_RANKS if linears)]
    return [adapters[place % len(adapters)] for place in range(len(texts))]


def _logits(
    network: PreTrainedModel, mixed: MixedAdapters, texts: list[Text], of: list[Adapter | None], cache: PromptCache | None = None
) -> torch.Tensor:
    """The logits at the end of each text's prompt and in each step, [texts, 1 + steps, vocabulary]."""
    passes = []
    for rows, logits in engine_logits(network, mixed, texts, of, fill_up=True, cache=cache):
        passes.append(logits[torch.tensor(rows).argsort()])
    return torch.stack(passes, 1)


def _batches(texts: int) -> list[list[int]]:
    """Texts in random order, some more than once, so that each one stands in many places."""
    draw = random.Random(0)
    return [[draw.randrange(texts) for _ in range(size)] for size in _BATCH_SIZES]


def _texts(network: PreTrainedModel, context_length: int, lengths: tuple[int, ...]) -> list[Text]:
    draw = random.Random(1)
    vocabulary = network.get_input_embeddings().weight.shape[0]

    def tokens(count: int) -> list[int]:
        return [draw.randrange(vocabulary) for _ in range(count)]

    room = max(1, context_length - STEPS)
    return [Text(tokens(min(length, room)), tokens(STEPS), adapted=False) for length in lengths]
