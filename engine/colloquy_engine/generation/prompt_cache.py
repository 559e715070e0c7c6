"""Keys and values of prompts that were read lately, so that a prompt that begins as one of them is read from there on.

The agents of a debate are asked the same question, and the chat of a round begins with that of the round before. Only what was read as a
prompt is kept. The keys and values of answers come from steps, whose sums have another order: with them, the bits of an answer would depend
on what the cache happens to hold.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from .adapters import Adapter

# Torch's attention cuts a prompt into blocks. Up to this many tokens, the first of them get the same bits whatever follows (torch 2.15, found
# by trying; independence.py tries it out again). In longer ones, they depend on the prompt's length.
ALIKE_TOKENS = 191
# A beginning is kept and found at each multiple of this many tokens.
BEGINNING_BLOCK = 16
_MOST_BYTES = 2**28

KeysAndValues = dict[int, tuple[torch.Tensor, torch.Tensor]]  # of each layer, [heads, tokens, width]


@dataclass(frozen=True)
class Beginning:
    """The first `length` tokens of a prompt, which have been read before. `layers` may hold more tokens."""

    length: int
    layers: KeysAndValues

    def layer(self, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        keys, values = self.layers[layer]
        return keys[:, : self.length], values[:, : self.length]


class PromptCache:
    """Keys and values of the prompts that were read last, of at most `most_bytes`. An adapter is known by its weights and its config, not by
    its name.

    With `exact`, a prompt gets the same bits as without the cache: so a long one has its beginning only from one of the same length.
    """

    def __init__(self, exact: bool, most_bytes: int = _MOST_BYTES):
        self._exact, self._most_bytes, self._bytes = exact, most_bytes, 0
        # By the name of a prompt's longest beginning: its keys and values, and the names of all its beginnings. The one used last is last.
        self._prompts: OrderedDict[bytes, tuple[KeysAndValues, list[bytes]]] = OrderedDict()
        self._beginnings: dict[bytes, bytes] = {}  # the name of a beginning: the name of a prompt that has it

    def find(self, adapter: Adapter | None, prompt: list[int]) -> Beginning | None:
        """The longest known beginning that leaves at least the last token to be read."""
        names = self._names(adapter, prompt)
        for count in range((len(prompt) - 1) // BEGINNING_BLOCK, 0, -1):
            holder = self._beginnings.get(names[count - 1])
            if holder is not None:
                self._prompts.move_to_end(holder)
                return Beginning(count * BEGINNING_BLOCK, self._prompts[holder][0])
        return None

    def keep(self, adapter: Adapter | None, prompt: list[int], layers: KeysAndValues) -> None:
        """Keeps a prompt that has been read whole or after its beginning. `layers` must not change afterwards."""
        names = self._names(adapter, prompt)
        if not names or names[-1] in self._prompts:
            return
        self._prompts[names[-1]] = (layers, names)
        self._beginnings.update(dict.fromkeys(names, names[-1]))
        self._bytes += _size(layers)
        while self._bytes > self._most_bytes:
            gone, (layers, names) = self._prompts.popitem(last=False)
            self._bytes -= _size(layers)
            for name in names:
                if self._beginnings.get(name) == gone:
                    del self._beginnings[name]

    def _names(self, adapter: Adapter | None, prompt: list[int]) -> list[bytes]:
        """A name of each beginning of whole blocks, the shortest first."""
        alike = 0 if not self._exact or len(prompt) <= ALIKE_TOKENS else len(prompt)
        adapted = f"{adapter.weights} {adapter.config}" if adapter else ""
        running = hashlib.blake2b(f"{adapted} {alike}".encode(), digest_size=16)
        names = []
        for block in _blocks(np.array(prompt, dtype=np.int64)):
            running.update(block.tobytes())
            names.append(running.digest())
        return names


def _blocks(tokens: np.ndarray) -> Iterable[np.ndarray]:
    return (tokens[end - BEGINNING_BLOCK : end] for end in range(BEGINNING_BLOCK, len(tokens) + 1, BEGINNING_BLOCK))


def _size(layers: KeysAndValues) -> int:
    return sum(tensor.nbytes for pair in layers.values() for tensor in pair)
