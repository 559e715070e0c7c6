"""Different adapters for different rows of one forward pass.

PEFT's mixed batches run the rows of each adapter separately, in a Python loop in each linear module. Here the A matrices of all
adapters in the batch are stacked into one, and so are the B matrices; between the two, each row keeps only the columns of its own
adapter. That is two small products a module for any number of adapters. A test compares the result with PEFT's.
"""

import torch
from torch import nn

from .adapters import Adapter

# Adapters that left the batch stay in the stack up to this number, so that the stack is not rebuilt at each step.
_STACKED_AT_LEAST = 8


class MixedAdapters:
    """Wraps the adapted linear modules of a network. `route_...` sets which adapter the next pass uses where."""

    def __init__(self, network: nn.Module):
        self._network = network
        # Modules that an earlier MixedAdapters wrapped stay wrapped; this one takes them over.
        self._wrapped = {name: module for name, module in network.named_modules() if isinstance(module, _AdaptedLinear)}
        self._stacked: dict[Adapter, slice] = {}  # the columns of each adapter

    def route_rows(self, adapters: list[Adapter | None]) -> None:
        """Row i of the next forward pass uses adapters[i]; None is the base model."""
        needed = self._needed(adapters)
        own = self._own_columns(adapters) if needed else None
        for module in self._wrapped.values():
            module.own_columns, module.spans = own, []

    def route_tokens(self, adapters: list[Adapter | None], lengths: list[int]) -> None:
        """The next forward pass is packed: its first lengths[0] tokens use adapters[0], and so on."""
        self._needed(adapters)
        spans: list[tuple[Adapter, slice]] = []
        first = 0
        for adapter, length in zip(adapters, lengths, strict=True):
            if spans and spans[-1][0] is adapter and spans[-1][1].stop == first:
                spans[-1] = (adapter, slice(spans[-1][1].start, first + length))
            elif adapter is not None:
                spans.append((adapter, slice(first, first + length)))
            first += length
        for name, module in self._wrapped.items():
            module.own_columns = None
            module.spans = [(span, *adapter.pairs[name]) for adapter, span in spans if name in adapter.pairs]

    def unwrap(self) -> None:
        """Leaves the network as it was."""
        for name, module in self._wrapped.items():
            self._put(name, module.base)
        self._wrapped, self._stacked = {}, {}

    def _needed(self, adapters: list[Adapter | None]) -> bool:
        needed = [adapter for adapter in dict.fromkeys(adapters) if adapter is not None]
        if any(adapter not in self._stacked for adapter in needed):
            self._stack(needed)
        return bool(needed)

    def _own_columns(self, adapters: list[Adapter | None]) -> torch.Tensor:
        width = sum(adapter.rank for adapter in self._stacked)
        weight = next(self._network.parameters())
        choices = torch.zeros(len(self._stacked) + 1, width, dtype=weight.dtype)
        places = {}
        for place, (adapter, columns) in enumerate(self._stacked.items()):
            choices[place, columns] = 1
            places[adapter] = place
        return choices[[places.get(adapter, -1) for adapter in adapters]].unsqueeze(1).to(weight.device)

    def _stack(self, needed: list[Adapter]) -> None:
        together = list(dict.fromkeys([*needed, *self._stacked]))
        together = together[: max(_STACKED_AT_LEAST, len(needed))]
        self._stacked, width = {}, 0
        for adapter in together:
            self._stacked[adapter] = slice(width, width + adapter.rank)
            width += adapter.rank
        for name in {name for adapter in together for name in adapter.pairs} - self._wrapped.keys():
            self._wrap(name)
        for name, module in self._wrapped.items():
            module.stack([(self._stacked[a].start, *a.pairs[name]) for a in together if name in a.pairs], width)

    def _wrap(self, name: str) -> None:
        self._wrapped[name] = _AdaptedLinear(self._network.get_submodule(name))
        self._put(name, self._wrapped[name])

    def _put(self, name: str, module: nn.Module) -> None:
        parent, _, leaf = name.rpartition(".")
        setattr(self._network.get_submodule(parent), leaf, module)


class _AdaptedLinear(nn.Module):
    def __init__(self, base: nn.Linear):
        super().__init__()
        self.base = base
        self.own_columns: torch.Tensor | None = None  # [rows, 1, width]: 1 in the columns of the row's own adapter
        self.spans: list[tuple[slice, torch.Tensor, torch.Tensor]] = []  # packed tokens with their A and B
        self._down: torch.Tensor | None = None  # [width, in]
        self._up: torch.Tensor | None = None  # [width, out]

    def stack(self, placed_pairs: list[tuple[int, torch.Tensor, torch.Tensor]], width: int) -> None:
        self._down = self._up = None
        if not placed_pairs:
            return
        self._down = self.base.weight.new_zeros(width, self.base.in_features)
        self._up = self.base.weight.new_zeros(width, self.base.out_features)
        for first, a, b in placed_pairs:
            self._down[first : first + len(a)] = a
            self._up[first : first + len(a)] = b.T

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        result = self.base(hidden)
        flat = result.view(-1, result.shape[-1])
        for span, a, b in self.spans:
            flat[span].addmm_(nn.functional.linear(hidden[0, span], a), b.T)
        if self.own_columns is not None and self._down is not None:
            low = nn.functional.linear(hidden, self._down)
            low *= self.own_columns
            flat.addmm_(low.view(-1, low.shape[-1]), self._up)
        return result
