"""The keys and values of all running answers (what transformers calls a cache), and the attention over them.

Answers are pooled by the length of their prompt, so that a short one is not padded to the window of a long one. All pools go through
the linear layers as one batch. Prompts are read packed: one after the other, without padding between them.

A library of matrix products chooses its way of adding up by the number of rows. With at least MIN_ROWS rows, and a multiple of ROW_BLOCK,
it gives each row the same bits whatever the other rows are (base_model.py tries that out), so passes are filled up to such a number.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from torch.nn import functional
from transformers import AttentionInterface, PreTrainedModel

from .prompt_cache import Beginning, KeysAndValues
from .slot_pool import SlotPool

SLOT_ATTENTION = "colloquy_slots"  # the name of the attention implementation

MIN_ROWS = 32
ROW_BLOCK = 16

_SHORTEST_POOL = 32  # prompt tokens; each larger pool takes prompts that are up to four times as long
_EMPTY_POOL_BYTES = 2**28  # a pool without answers is kept up to this size

Row = TypeVar("Row")


@dataclass(frozen=True)
class AttentionPiece:
    """A part of the batch that attends separately: some rows of a decode step, or one packed prompt."""

    span: slice  # of the query's rows (decode) or tokens (prompt)
    key: torch.Tensor
    value: torch.Tensor
    mask: torch.Tensor | None  # additive; None for a prompt, which is causal
    earlier: int = 0  # of a long prompt: how many of the keys belong to the slices before
    known: int = 0  # of a prompt whose beginning has been read before: how many of the keys belong to it


@dataclass(frozen=True)
class _Prompt:
    span: slice  # of the tokens of the pass
    pool: SlotPool
    slots: slice
    beginning: Beginning | None
    layers: KeysAndValues


class LongPrompt:
    """The keys and values of a prompt that is read in slices, so that the running answers go on between them."""

    def __init__(self, length: int):
        self.length, self.read = length, 0
        self.slice = 0  # tokens of the slice that is being read
        self._layers: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def add(self, layer: int, key: torch.Tensor, value: torch.Tensor) -> AttentionPiece:
        """Stores one layer's keys and values of the slice, [1, heads, tokens, width]."""
        if layer not in self._layers:
            self._layers[layer] = tuple(each.new_empty(*each.shape[:2], self.length, each.shape[3]) for each in (key, value))
        end = self.read + self.slice
        for kept, new in zip(self._layers[layer], (key, value), strict=True):
            kept[:, :, self.read : end] = new[:, :, : self.slice]
        keys, values = (kept[:, :, :end] for kept in self._layers[layer])
        return AttentionPiece(slice(0, self.slice), keys, values, None, self.read)

    def layers(self) -> Iterator[tuple[int, torch.Tensor, torch.Tensor]]:
        for layer, (keys, values) in self._layers.items():
            yield layer, keys[0], values[0]


class KeyValueStore(Generic[Row]):
    """Rows are ordered pool by pool. Each attention layer calls `update` during a forward pass."""

    def __init__(self, dtype: torch.dtype, device: torch.device):
        self._dtype, self._device = dtype, device
        self._pools: dict[int, SlotPool[Row]] = {}
        self._prompts: list[_Prompt] | None = None  # None in a decode step
        self._long: LongPrompt | None = None  # a slice of it is being read
        self._steps: list[tuple[slice, SlotPool[Row], torch.Tensor]] = []

    @property
    def rows(self) -> list[Row]:
        return [row for pool in self._pools.values() for row in pool.rows]

    def begin_prompts(self, lengths: list[int], rows: list[list[Row]], known: list[Beginning | None] | None = None) -> torch.Tensor:
        """Prepares packed prompts of these lengths, each for one or more new rows, without their known beginnings. Returns the
        position_ids, [1, tokens]."""
        self._prompts, self._long, positions, first = [], None, [], 0
        for length, prompt_rows, beginning in zip(lengths, rows, known or [None] * len(lengths), strict=True):
            pool = self._pool_for(length)
            slots = pool.arrive(prompt_rows, length)
            positions.append(np.arange(beginning.length if beginning else 0, length))
            end = first + len(positions[-1])
            self._prompts.append(_Prompt(slice(first, end), pool, slots, beginning, {}))
            first = end
        return torch.as_tensor(np.concatenate(positions), device=self._device).unsqueeze(0)

    @property
    def prompts_read(self) -> list[KeysAndValues]:
        """The keys and values of each whole prompt of the pass that was forwarded last, in the order of `begin_prompts`."""
        return [prompt.layers for prompt in self._prompts or []]

    def begin_slice(self, prompt: LongPrompt, tokens: int) -> torch.Tensor:
        """Prepares the next `tokens` tokens of a long prompt. Returns the position_ids, [1, tokens]."""
        self._long, prompt.slice = prompt, tokens
        return torch.arange(prompt.read, prompt.read + tokens, device=self._device).unsqueeze(0)

    def end_long(self, prompt: LongPrompt, rows: list[Row]) -> None:
        """Gives the new rows their places: the prompt has been read to its end."""
        pool = self._pool_for(prompt.length)
        slots = pool.arrive(rows, prompt.length)
        for layer, key, value in prompt.layers():
            pool.write_prompt(layer, slots, key, value)

    def begin_step(self) -> torch.Tensor:
        """Prepares one token for every row. Returns the position_ids, [rows, 1]."""
        self._prompts, self._long, self._steps, positions, first = None, None, [], [], 0
        for size, pool in list(self._pools.items()):
            # The next answers come soon: to take memory again and clear it costs more than a few steps.
            if not pool.rows and pool.bytes > _EMPTY_POOL_BYTES:
                del self._pools[size]
            if not pool.rows:
                continue
            mask = pool.begin_step(self._device, self._dtype)
            span = slice(first, first + len(pool.rows))
            self._steps.append((span, pool, mask[:, None, None, :]))
            positions.append(pool.lengths)
            first = span.stop
        return torch.as_tensor(np.concatenate(positions), device=self._device).unsqueeze(1)

    def end_step(self) -> None:
        for _, pool, _ in self._steps:
            pool.end_step()

    def update(self, key: torch.Tensor, value: torch.Tensor, layer: int, *_args, **_kwargs):
        """Stores one layer's new keys and values. Returns the pieces for slot_attention twice: as keys and as values."""
        if self._long is not None:
            pieces = [self._long.add(layer, key, value)]
            return pieces, pieces
        pieces = []
        if self._prompts is None:
            for span, pool, mask in self._steps:
                pieces.append(AttentionPiece(span, *pool.write_step(layer, key[span], value[span]), mask))
            return pieces, pieces
        for prompt in self._prompts:
            whole, known = (key[0, :, prompt.span], value[0, :, prompt.span]), 0
            if prompt.beginning is None:
                # Memory of its own, so that what is kept of it does not keep the pass.
                whole = tuple(each.clone(memory_format=torch.contiguous_format) for each in whole)
            else:
                known = prompt.beginning.length
                whole = tuple(torch.cat(each, 1) for each in zip(prompt.beginning.layer(layer), whole, strict=True))
            prompt.pool.write_prompt(layer, prompt.slots, *whole)
            prompt.layers[layer] = whole
            pieces.append(AttentionPiece(prompt.span, whole[0][None], whole[1][None], None, known=known))
        return pieces, pieces

    def get_seq_length(self, *_args) -> int:
        """Part of transformers' cache protocol. Its value is not used, because position_ids are always given."""
        return 0

    def keep(self, wanted: np.ndarray) -> None:
        """Drops the rows for which `wanted` (in the order of `rows`) is false."""
        first = 0
        for pool in self._pools.values():
            mask = wanted[first : first + len(pool.rows)]
            first += len(pool.rows)
            if not mask.all():
                pool.keep(mask)

    def erase(self, gone: np.ndarray) -> None:
        """Clears the keys and values of the rows for which `gone` is true."""
        first = 0
        for pool in self._pools.values():
            pool.erase(gone[first : first + len(pool.rows)])
            first += len(pool.rows)

    @property
    def packed(self) -> bool:
        """Whether the pass that has been prepared is one of packed prompts or of a slice, and not a step."""
        return self._prompts is not None or self._long is not None

    def _pool_for(self, length: int) -> SlotPool[Row]:
        size = _SHORTEST_POOL
        while size < length:
            size *= 4
        return self._pools.setdefault(size, SlotPool())


def filled_up(rows: int) -> int:
    """The number of rows to which a pass with `rows` rows is filled up."""
    return max(MIN_ROWS, -(-rows // ROW_BLOCK) * ROW_BLOCK)


def store_forward(
    network: PreTrainedModel,
    store: KeyValueStore,
    tokens: list[list[int]],
    positions: torch.Tensor,
    logits_to_keep: int | torch.Tensor,
    fill_up: bool = False,
) -> torch.Tensor:
    """The logits of a pass that `begin_prompts` or `begin_step` has prepared.

    `logits_to_keep` is 0 for those of all places, 1 for those of the last place, or the places. With `fill_up`, the pass has more rows than
    asked for, whose tokens no other token sees; their logits are cut off.
    """
    ids = torch.tensor(tokens, device=network.device)
    if not fill_up:
        return _forward(network, store, ids, positions, logits_to_keep)
    axis = 1 if store.packed else 0
    count = ids.shape[axis]
    room = (0, filled_up(count) - count) if axis else (0, 0, 0, filled_up(count) - count)
    ids, positions = functional.pad(ids, room), functional.pad(positions, room)
    if not axis:
        return _forward(network, store, ids, positions, 1)[:count]
    if isinstance(logits_to_keep, int) and logits_to_keep == 0:
        return _forward(network, store, ids, positions, 0)[:, :count]
    wanted = logits_to_keep if torch.is_tensor(logits_to_keep) else torch.tensor([count - 1], device=ids.device)
    return _forward(network, store, ids, positions, functional.pad(wanted, (0, filled_up(len(wanted)) - len(wanted))))[:, : len(wanted)]


def _forward(
    network: PreTrainedModel, store: KeyValueStore, ids: torch.Tensor, positions: torch.Tensor, logits_to_keep: int | torch.Tensor
) -> torch.Tensor:
    return network(
        input_ids=ids,
        position_ids=positions,
        # transformers makes no mask of its own when it gets a tensor of four dimensions; the store has the real masks.
        attention_mask=torch.zeros((1, 1, 1, 1), dtype=network.dtype, device=network.device),
        past_key_values=store,
        use_cache=True,
        logits_to_keep=logits_to_keep,
    ).logits


class AttentionOptionUnknown(Exception):
    """A model's attention asks for something that this one does not do."""


# Those that change nothing here: the store knows positions and masks, and a model is served within its sliding window.
_HARMLESS_OPTIONS = {"position_ids", "cache_position", "sliding_window", "use_cache", "is_causal", "output_attentions", "output_router_logits"}


def slot_attention(module, query, key: list[AttentionPiece], value, attention_mask, scaling, dropout=0.0, **options):
    """One layer's attention, which transformers calls as an attention implementation.

    query is [rows, heads, 1, width] in a decode step, and [1, heads, tokens, width] for packed prompts. Key and value are both the pieces
    that KeyValueStore.update returned. Returns [rows, tokens, heads, width]. Raises AttentionOptionUnknown.
    """
    for option, wanted in options.items():
        if option not in _HARMLESS_OPTIONS and wanted is not None and wanted is not False:
            raise AttentionOptionUnknown(f"its attention has the option {option}, which the engine's does not have")
    attended = query.new_empty(query.shape[0], query.shape[2], query.shape[1], query.shape[3])
    (attended[:, key[-1].span.stop :] if key[-1].mask is None else attended[key[-1].span.stop :]).zero_()  # where the pass is filled up
    for piece in key:
        if piece.mask is None:
            attended[:, piece.span] = _attend_prompt(query[:, :, piece.span], piece, scaling)
        else:
            attended[piece.span] = _attend_step(query[piece.span], piece, scaling)
    return attended, None


AttentionInterface.register(SLOT_ATTENTION, slot_attention)


def _attend_prompt(query: torch.Tensor, piece: AttentionPiece, scaling: float) -> torch.Tensor:
    grouped = query.shape[1] != piece.key.shape[1]
    # The tokens of a known beginning ask again, by zeros, and their answers are thrown away: so the others have the same products, of the
    # same shapes, as when all are read, and get the same bits.
    if piece.known:
        query = functional.pad(query, (0, 0, piece.known, 0))
    # Each token of a later slice sees all slices before it: torch's own causal mask begins at the first key.
    seen = None
    if piece.earlier:
        seen = torch.ones(query.shape[2], piece.key.shape[2], dtype=torch.bool, device=query.device).tril(piece.earlier)
    attended = functional.scaled_dot_product_attention(
        query, piece.key, piece.value, attn_mask=seen, is_causal=seen is None, scale=scaling, enable_gqa=grouped
    )
    return attended[:, :, piece.known :].transpose(1, 2)


def _attend_step(query: torch.Tensor, piece: AttentionPiece, scaling: float) -> torch.Tensor:
    # With one token a row, the query heads that share a key head form a small matrix, so no key or value is copied. torch.matmul would
    # copy them all, as they are parts of larger tensors; bmm does not.
    rows, heads, _, width = query.shape
    key, value = piece.key.flatten(0, 1), piece.value.flatten(0, 1)
    grouped = (query * scaling).view(len(key), -1, width)
    scores = torch.bmm(grouped, key.transpose(1, 2))
    scores.view(rows, -1, *scores.shape[1:]).add_(piece.mask)
    return torch.bmm(torch.softmax(scores, dim=-1), value).view(rows, 1, heads, width)
