"""Different adapters for different rows of one forward pass.

PEFT's mixed batches run the rows of each adapter separately, in a Python loop in each linear module. Here the rows of a step are put
together by adapter, and all adapters are multiplied by two batched products a module. A test compares the result with PEFT's.

What a row gets depends on its own adapter alone, to the last bit: its sums have the same order in whatever place its adapter and its row are.
"""

from dataclasses import dataclass

import torch
from torch import nn

from .adapters import Adapter
from .key_value_store import ROW_BLOCK

# Adapters that left the batch stay in the stack up to this number, so that the stack is not rebuilt at each step.
_STACKED_AT_LEAST = 8


class MixedAdapters:
    """Wraps the adapted linear modules of a network. `route_...` sets which adapter the next pass uses where."""

    def __init__(self, network: nn.Module):
        self._network = network
        # Modules that an earlier MixedAdapters wrapped stay wrapped; this one takes them over.
        self._wrapped = {name: module for name, module in network.named_modules() if isinstance(module, _AdaptedLinear)}
        self._stacked: list[Adapter] = []

    def route_rows(self, adapters: list[Adapter | None]) -> None:
        """Row i of the next forward pass uses adapters[i]; None is the base model. Rows after them may use any."""
        needed = self._needed(adapters)
        groups = self._groups(adapters) if needed else None
        for module in self._wrapped.values():
            module.groups, module.spans = groups, []

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
            module.groups = None
            module.spans = [(span, *adapter.pairs[name]) for adapter, span in spans if name in adapter.pairs]

    def unwrap(self) -> None:
        """Leaves the network as it was."""
        for name, module in self._wrapped.items():
            self._put(name, module.base)
        self._wrapped, self._stacked = {}, []

    def _needed(self, adapters: list[Adapter | None]) -> bool:
        needed = [adapter for adapter in dict.fromkeys(adapters) if adapter is not None]
        if any(adapter not in self._stacked for adapter in needed):
            self._stack(needed)
        return bool(needed)

    def _groups(self, adapters: list[Adapter | None]) -> "_Groups":
        places: dict[Adapter | None, int] = {adapter: place for place, adapter in enumerate(self._stacked)}
        places[None] = len(self._stacked)
        members: dict[int, list[int]] = {}
        for row, adapter in enumerate(adapters):
            members.setdefault(places[adapter], []).append(row)
        used = tuple(sorted(members))
        size = -(-max(map(len, members.values())) // ROW_BLOCK) * ROW_BLOCK
        gathered, back = [], [0] * len(adapters)
        for group, place in enumerate(used):
            rows = members[place]
            gathered += rows + [0] * (size - len(rows))
            for within, row in enumerate(rows):
                back[row] = group * size + within
        device = next(self._network.parameters()).device
        return _Groups(used, len(adapters), torch.tensor(gathered, device=device), torch.tensor(back, device=device))

    def _stack(self, needed: list[Adapter]) -> None:
        together = list(dict.fromkeys([*needed, *self._stacked]))
        self._stacked = together[: max(_STACKED_AT_LEAST, len(needed))]
        for name in {name for adapter in self._stacked for name in adapter.pairs} - self._wrapped.keys():
            self._wrap(name)
        for name, module in self._wrapped.items():
            module.stack([adapter.pairs.get(name) for adapter in self._stacked])

    def _wrap(self, name: str) -> None:
        self._wrapped[name] = _AdaptedLinear(self._network.get_submodule(name))
        self._put(name, self._wrapped[name])

    def _put(self, name: str, module: nn.Module) -> None:
        parent, _, leaf = name.rpartition(".")
        setattr(self._network.get_submodule(parent), leaf, module)


@dataclass(frozen=True)
class _Groups:
    """The rows of a step by adapter: each group is filled up to the same size with copies of row 0."""

    used: tuple[int, ...]  # the places in the stack of the adapters that have rows
    rows: int
    gathered: torch.Tensor  # the row at each place of all groups, [count * size]
    back: torch.Tensor  # the place of each row, [rows]


class _AdaptedLinear(nn.Module):
    def __init__(self, base: nn.Linear):
        super().__init__()
        self.base = base
        self.groups: _Groups | None = None  # of a step
        self.spans: list[tuple[slice, torch.Tensor, torch.Tensor]] = []  # packed tokens with their A and B
        self._down: torch.Tensor | None = None  # [adapters + 1, in, rank]; the last one, zeros, is of rows without an adapter
        self._up: torch.Tensor | None = None  # [adapters + 1, rank, out]
        self._used: tuple[int, ...] = ()  # what the last step used of the stack, and the weights at these places
        self._weights_used: tuple[torch.Tensor, torch.Tensor] | None = None

    def stack(self, pairs: list[tuple[torch.Tensor, torch.Tensor] | None]) -> None:
        self._down = self._up = self._weights_used = None
        if not any(pairs):
            return
        rank = max(len(pair[0]) for pair in pairs if pair)
        self._down = self.base.weight.new_zeros(len(pairs) + 1, self.base.in_features, rank)
        self._up = self.base.weight.new_zeros(len(pairs) + 1, rank, self.base.out_features)
        for place, pair in enumerate(pairs):
            if pair:
                a, b = pair
                self._down[place, :, : len(a)] = a.T
                self._up[place, : len(a)] = b.T

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        result = self.base(hidden)
        flat = result.view(-1, result.shape[-1])
        for span, a, b in self.spans:
            tokens = hidden[0, span]
            count = tokens.shape[0]
            if count < ROW_BLOCK:
                tokens = nn.functional.pad(tokens, (0, 0, 0, ROW_BLOCK - count))
            flat[span] += nn.functional.linear(nn.functional.linear(tokens, a), b)[:count]
        if self.groups is not None and self._down is not None:
            down, up = self._weights_of(self.groups.used)
            together = hidden.index_select(0, self.groups.gathered).view(len(down), -1, hidden.shape[-1])
            own = torch.bmm(torch.bmm(together, down), up)
            result[: self.groups.rows] += own.view(-1, *result.shape[1:]).index_select(0, self.groups.back)
        return result

    def _weights_of(self, used: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
        """The weights of the adapters at these places. The same few are used for many steps: in a debate's round, those of one role."""
        if self._weights_used is None or used != self._used:
            first, last = used[0], used[-1] + 1
            if last - first == len(used):
                self._weights_used = self._down[first:last], self._up[first:last]
            else:
                places = torch.tensor(used, device=self._down.device)
                self._weights_used = self._down.index_select(0, places), self._up.index_select(0, places)
            self._used = used
        return self._weights_used
