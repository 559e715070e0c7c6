"""Different adapters for different rows of one forward pass.

PEFT's mixed batches run each adapter's rows apart, in a Python loop in each linear module. Here the A matrices of all
adapters in the batch are stacked into one, and so are the B matrices; between them each row keeps only its own adapter's
columns. That is two small products a module, however many adapters there are. tests/test_mixed_adapters.py holds it
equal to PEFT's result.
"""

import torch
from torch import nn

from .adapter_file import Adapter

# Adapters that left the batch stay in the stack until it holds this many, so that it is not rebuilt at each step.
_STACKED_AT_LEAST = 8


class MixedAdapters:
    """Wraps the adapted linear modules of a network; `route` says which adapter each row of the next pass uses."""

    def __init__(self, network: nn.Module):
        self._network = network
        self._wrapped: dict[str, _AdaptedLinear] = {}
        self._stacked: dict[Adapter, slice] = {}  # adapter -> its columns

    def route(self, adapters: list[Adapter | None]) -> None:
        """Row i of the next forward pass uses adapters[i]; None is the base model."""
        needed = [adapter for adapter in dict.fromkeys(adapters) if adapter is not None]
        if any(adapter not in self._stacked for adapter in needed):
            self._stack(needed)
        own = self._own_columns(adapters) if needed else None
        for module in self._wrapped.values():
            module.own_columns = own

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
            module.stack({self._stacked[adapter]: adapter.pairs[name] for adapter in together if name in adapter.pairs}, width)

    def _wrap(self, name: str) -> None:
        parent = self._network.get_submodule(name.rpartition(".")[0])
        leaf = name.rpartition(".")[2]
        self._wrapped[name] = _AdaptedLinear(getattr(parent, leaf))
        setattr(parent, leaf, self._wrapped[name])


class _AdaptedLinear(nn.Module):
    def __init__(self, base: nn.Linear):
        super().__init__()
        self.base = base
        self.own_columns: torch.Tensor | None = None  # [rows, 1, width], one where the column is the row's own adapter's
        self._down: torch.Tensor | None = None  # [width, in]
        self._up: torch.Tensor | None = None  # [width, out]

    def stack(self, pairs: dict[slice, tuple[torch.Tensor, torch.Tensor]], width: int) -> None:
        self._down = self._up = None
        if not pairs:
            return
        self._down = self.base.weight.new_zeros(width, self.base.in_features)
        self._up = self.base.weight.new_zeros(width, self.base.out_features)
        for columns, (a, b) in pairs.items():
            self._down[columns.start : columns.start + a.shape[0]] = a
            self._up[columns.start : columns.start + a.shape[0]] = b.T

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        result = self.base(hidden)
        if self.own_columns is None or self._down is None:
            return result
        low = nn.functional.linear(hidden, self._down)
        low *= self.own_columns
        flat = result.view(-1, result.shape[-1])
        flat.addmm_(low.view(-1, low.shape[-1]), self._up)
        return result
