"""Keys and values of running answers of similar length: one slot a row.

Row r holds the keys of its prompt and answer in columns 0 .. lengths[r]-1 of its slot, so where a number stands depends on the row alone,
and so does the order in which it is added up. Rows come and go without moving the others, and attention reads views: nothing is
concatenated or padded at each step.
"""

from typing import Generic, TypeVar

import numpy as np
import torch

MASKED = -1e30  # finite, so that a row with nothing to attend to gives numbers instead of NaN
# The window is a multiple of this, so that no row's sums end in the middle of a vector register because of another row's length.
_WINDOW_BLOCK = 16
_FIRST_COLUMNS = 64
_FIRST_SLOTS = 16

Row = TypeVar("Row")


class SlotPool(Generic[Row]):
    """`rows` are in slot order. The slots after the last row are free."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.lengths = np.zeros(0, dtype=np.int64)  # tokens that each row holds
        self._layers: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self._slots, self._columns = _FIRST_SLOTS, _FIRST_COLUMNS
        self._window = 0
        self._places: tuple[torch.Tensor, torch.Tensor] | None = None  # slot and column of each row's next token

    @property
    def bytes(self) -> int:
        return sum(tensor.nbytes for pair in self._layers.values() for tensor in pair)

    def arrive(self, rows: list[Row], length: int) -> slice:
        """Gives each new row a slot, whose first `length` columns `write_prompt` has to fill. Returns the slots."""
        first = len(self.rows)
        self._grow(first + len(rows), length)
        self.rows = self.rows + rows
        self.lengths = np.concatenate([self.lengths, np.full(len(rows), length)])
        return slice(first, first + len(rows))

    def begin_step(self, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
        """Makes room for one token in each row. Returns the additive mask [rows, window]; the tokens' positions are `lengths`."""
        needed = int(self.lengths.max()) + 1
        self._window = -(-needed // _WINDOW_BLOCK) * _WINDOW_BLOCK
        self._grow(len(self.rows), self._window)
        positions = torch.as_tensor(self.lengths, device=device)
        self._places = (torch.arange(len(self.rows), device=device), positions)
        later = torch.arange(self._window, device=device) > positions[:, None]
        return torch.zeros(later.shape, dtype=dtype, device=device).masked_fill_(later, MASKED)

    def end_step(self) -> None:
        self.lengths = self.lengths + 1

    def write_prompt(self, layer: int, slots: slice, key: torch.Tensor, value: torch.Tensor) -> None:
        """Stores one layer's keys and values [heads, tokens, width] of a whole prompt, for each of its rows."""
        keys, values = self._layer(layer, key)
        keys[slots, :, : key.shape[1]] = key
        values[slots, :, : key.shape[1]] = value

    def write_step(self, layer: int, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Stores one token for each row, [rows, heads, 1, width]. Returns views of everything that the rows attend to."""
        keys, values = self._layers[layer]
        slots, columns = self._places
        keys[slots, :, columns] = key[:, :, 0]
        values[slots, :, columns] = value[:, :, 0]
        return keys[: len(slots), :, : self._window], values[: len(slots), :, : self._window]

    def keep(self, wanted: np.ndarray) -> None:
        """Drops the rows for which `wanted` is false. Rows after the new end move into the holes."""
        kept = np.flatnonzero(wanted)
        count = len(kept)
        holes, movers = np.flatnonzero(~wanted[:count]), kept[kept >= count]
        if len(holes):
            span = slice(0, int(self.lengths[movers].max()))
            for keys, values in self._layers.values():
                for hole, mover in zip(holes.tolist(), movers.tolist(), strict=True):
                    keys[hole, :, span] = keys[mover, :, span]
                    values[hole, :, span] = values[mover, :, span]
        order = np.arange(count)
        order[holes] = movers
        self.lengths = self.lengths[order]
        self.rows = [self.rows[row] for row in order]

    def erase(self, gone: np.ndarray) -> None:
        """Zeroes these rows' keys and values. A NaN that stays in a slot would reach its next row, because 0 * NaN is NaN."""
        for slot in np.flatnonzero(gone).tolist():
            for keys, values in self._layers.values():
                keys[slot].zero_()
                values[slot].zero_()

    def _layer(self, layer: int, key: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if layer not in self._layers:
            shape = (self._slots, key.shape[0], self._columns, key.shape[2])
            # Zeros instead of uninitialised memory: a masked column is still multiplied by zero, and 0 * NaN is NaN.
            self._layers[layer] = (key.new_zeros(shape), key.new_zeros(shape))
        return self._layers[layer]

    def _grow(self, slots: int, columns: int) -> None:
        old = self._slots, self._columns
        while self._slots < slots:
            self._slots *= 2
        while self._columns < columns:
            self._columns *= 2
        if old == (self._slots, self._columns):
            return
        for layer, tensors in self._layers.items():
            self._layers[layer] = tuple(self._enlarged(tensor) for tensor in tensors)

    def _enlarged(self, tensor: torch.Tensor) -> torch.Tensor:
        larger = tensor.new_zeros((self._slots, tensor.shape[1], self._columns, tensor.shape[3]))
        larger[: tensor.shape[0], :, : tensor.shape[2]] = tensor
        return larger
