"""Different adapters for different rows of one forward pass.

PEFT's mixed batches run the rows of each adapter separately, in a Python loop in each linear module. Here the rows of a step are put
together by adapter, and all adapters of one form are multiplied by two batched products a module. A test compares the result with PEFT's.

What a row gets depends on its own adapter alone, to the last bit: its sums have the same order in whatever place its adapter and its row are.
So adapters of different rank are never multiplied together: a library adds up in another order for 16 columns than for 8.
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
        self._forms: list[list[Adapter]] = []  # the same adapters, those with the same ranks in the same modules together

    def route_rows(self, adapters: list[Adapter | None]) -> None:
        """Row i of the next forward pass uses adapters[i]; None is the base model. Rows after them may use any."""
        needed = self._needed(adapters)
        groups = [found for form in range(len(self._forms)) if (found := self._groups(form, adapters))] if needed else []
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
            module.groups = []
            module.spans = [(span, *adapter.pairs[name]) for adapter, span in spans if name in adapter.pairs]

    def unwrap(self) -> None:
        """Leaves the network as it was."""
        for name, module in self._wrapped.items():
            self._put(name, module.base)
        self._wrapped, self._stacked, self._forms = {}, [], []

    def _needed(self, adapters: list[Adapter | None]) -> bool:
        needed = [adapter for adapter in dict.fromkeys(adapters) if adapter is not None]
        if any(adapter not in self._stacked for adapter in needed):
            self._stack(needed)
        return bool(needed)

    def _groups(self, form: int, adapters: list[Adapter | None]) -> "_Groups | None":
        places: dict[Adapter | None, int] = {adapter: place for place, adapter in enumerate(self._forms[form])}
        others = len(places)
        members: dict[int, list[int]] = {}
        for row, adapter in enumerate(adapters):
            members.setdefault(places.get(adapter, others), []).append(row)
        used = tuple(sorted(members))
        if used == (others,):
            return None
        size = -(-max(map(len, members.values())) // ROW_BLOCK) * ROW_BLOCK
        gathered, back = [], [0] * len(adapters)
        for group, place in enumerate(used):
            rows = members[place]
            gathered += rows + [0] * (size - len(rows))
            for within, row in enumerate(rows):
                back[row] = group * size + within
        device = next(self._network.parameters()).device
        return _Groups(form, used, len(adapters), torch.tensor(gathered, device=device), torch.tensor(back, device=device))

    def _stack(self, needed: list[Adapter]) -> None:
        together = list(dict.fromkeys([*needed, *self._stacked]))
        self._stacked = together[: max(_STACKED_AT_LEAST, len(needed))]
        forms: dict[tuple, list[Adapter]] = {}
        for adapter in self._stacked:
            forms.setdefault(tuple(sorted((name, len(a)) for name, (a, _) in adapter.pairs.items())), []).append(adapter)
        self._forms = list(forms.values())
        for name in {name for adapter in self._stacked for name in adapter.pairs} - self._wrapped.keys():
            self._wrap(name)
        for name, module in self._wrapped.items():
            module.stacks = [
                _Stack(module.base, [each.pairs[name] for each in form]) if name in form[0].pairs else None for form in self._forms
            ]

    def _wrap(self, name: str) -> None:
        self._wrapped[name] = _AdaptedLinear(self._network.get_submodule(name))
        self._put(name, self._wrapped[name])

    def _put(self, name: str, module: nn.Module) -> None:
        parent, _, leaf = name.rpartition(".")
        setattr(self._network.get_submodule(parent), leaf, module)


@dataclass(frozen=True)
class _Groups:
    """The rows of a step by adapter of a form: each group is filled up to the same size with copies of row 0."""

    form: int
    used: tuple[int, ...]  # the places in the stack of the adapters that have rows; after the last adapter's, that of all other rows
    rows: int
    gathered: torch.Tensor  # the row at each place of all groups, [count * size]
    back: torch.Tensor  # the place of each row, [rows]


class _Stack:
    """The weights of a module for all adapters of a form."""

    def __init__(self, base: nn.Linear, pairs: list[tuple[torch.Tensor, torch.Tensor]]):
        rank = len(pairs[0][0])
        # The last one, zeros, is of rows without an adapter of this form.
        self._down = base.weight.new_zeros(len(pairs) + 1, base.in_features, rank)
        self._up = base.weight.new_zeros(len(pairs) + 1, rank, base.out_features)
        for place, (a, b) in enumerate(pairs):
            self._down[place], self._up[place] = a.T, b.T
        self._used: tuple[int, ...] = ()  # what the last step used of the stack, and the weights at these places
        self._weights_used = self._down, self._up

    def weights_of(self, used: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
        """The weights of the adapters at these places. The same few are used for many steps: in a debate's round, those of one role."""
        if used != self._used:
            first, last = used[0], used[-1] + 1
            if last - first == len(used):
                self._weights_used = self._down[first:last], self._up[first:last]
            else:
                places = torch.tensor(used, device=self._down.device)
                self._weights_used = self._down.index_select(0, places), self._up.index_select(0, places)
            self._used = used
        return self._weights_used


class _AdaptedLinear(nn.Module):
    def __init__(self, base: nn.Linear):
        super().__init__()
        self.base = base
        self.groups: list[_Groups] = []  # of a step, by form
        self.spans: list[tuple[slice, torch.Tensor, torch.Tensor]] = []  # packed tokens with their A and B
        self.stacks: list[_Stack | None] = []  # by form; None where adapters of the form leave this module as it is

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        result = self.base(hidden)
        flat = result.view(-1, result.shape[-1])
        for span, a, b in self.spans:
            tokens = hidden[0, span]
            count = tokens.shape[0]
            if count < ROW_BLOCK:
                tokens = nn.functional.pad(tokens, (0, 0, 0, ROW_BLOCK - count))
            flat[span] += nn.functional.linear(nn.functional.linear(tokens, a), b)[:count]
        for groups in self.groups:
            if stack := self.stacks[groups.form]:
                down, up = stack.weights_of(groups.used)
                together = hidden.index_select(0, groups.gathered).view(len(down), -1, hidden.shape[-1])
                own = torch.bmm(torch.bmm(together, down), up)
                result[: groups.rows] += own.view(-1, *result.shape[1:]).index_select(0, groups.back)
        return result
