"""Keys and values of running answers of similar length: one slot a row, all rows aligned at one moving column.

Row r holds its prompt and answer in columns starts[r] .. column-1, so all rows write their next token into the same column. Rows come
and go without moving the others, and attention reads views: nothing is concatenated or padded at each step.
"""

from typing import Generic, TypeVar

import numpy as np
import torch

MASKED = -1e30  # finite, so that a row with nothing to attend to gives numbers instead of NaN
_FIRST_COLUMNS = 256
_FIRST_SLOTS = 16

Row = TypeVar("Row")


class SlotPool(Generic[Row]):
    """`rows` are in slot order. The slots after the last row are free."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.column = 0  # where the next token of every row goes
        self.starts = np.zeros(0, dtype=np.int64)  # first column of each row
        self._layers: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self._slots, self._columns = _FIRST_SLOTS, _FIRST_COLUMNS

    @property
    def window_start(self) -> int:
        return int(self.starts.min(initial=self.column))

    def arrive(self, rows: list[Row], lengths: list[int]) -> list[int]:
        """Gives each new row a slot, whose last `length` columns `write_prompt` has to fill. Returns the slots."""
        longest = max(lengths)
        if not self.rows:
            self.column = max(longest, self._columns // 4)
        if self.column < longest:
            self._shift(longest - self.column)
        first = len(self.rows)
        self._grow(first + len(rows), self.column)
        self.rows = self.rows + rows
        self.starts = np.concatenate([self.starts, self.column - np.asarray(lengths)])
        return list(range(first, first + len(rows)))

    def begin_step(self) -> tuple[np.ndarray, np.ndarray]:
        """Makes room for one token in each row. Returns the token's position in each row and the additive mask [rows, window]."""
        if self.column == self._columns:
            self._make_room()
        columns = np.arange(self.window_start, self.column + 1)
        return self.column - self.starts, np.where(columns[None, :] < self.starts[:, None], MASKED, 0.0)

    def end_step(self) -> None:
        self.column += 1

    def write_prompt(self, layer: int, slot: int, key: torch.Tensor, value: torch.Tensor) -> None:
        """Stores one layer's keys and values [heads, tokens, width] of a whole prompt."""
        keys, values = self._layer(layer, key)
        keys[slot, :, self.column - key.shape[1] : self.column] = key
        values[slot, :, self.column - key.shape[1] : self.column] = value

    def write_step(self, layer: int, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Stores one token for each row, [rows, heads, 1, width]. Returns views of everything that the rows attend to."""
        keys, values = self._layers[layer]
        count, window = len(self.rows), slice(self.window_start, self.column + 1)
        keys[:count, :, self.column] = key[:, :, 0]
        values[:count, :, self.column] = value[:, :, 0]
        return keys[:count, :, window], values[:count, :, window]

    def keep(self, kept: np.ndarray) -> None:
        """Keeps only these rows (ascending). Rows after the new end move into the holes."""
        count = len(kept)
        holes, movers = np.setdiff1d(np.arange(count), kept), kept[kept >= count]
        if len(holes):
            span = slice(int(self.starts[movers].min()), self.column)
            for keys, values in self._layers.values():
                for hole, mover in zip(holes.tolist(), movers.tolist(), strict=True):
                    keys[hole, :, span] = keys[mover, :, span]
                    values[hole, :, span] = values[mover, :, span]
        order = np.arange(count)
        order[holes] = movers
        self.starts = self.starts[order]
        self.rows = [self.rows[row] for row in order]

    def _layer(self, layer: int, key: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if layer not in self._layers:
            shape = (self._slots, key.shape[0], self._columns, key.shape[2])
            # Zeros instead of uninitialised memory: a masked column is still multiplied by zero, and 0 * NaN is NaN.
            self._layers[layer] = (key.new_zeros(shape), key.new_zeros(shape))
        return self._layers[layer]

    def _make_room(self) -> None:
        start = self.window_start
        if self.column - start > self._columns // 2:
            self._grow(len(self.rows), self._columns + 1)
            return
        for tensors in self._layers.values():
            for tensor in tensors:
                tensor[: len(self.rows), :, : self.column - start] = tensor[: len(self.rows), :, start : self.column]
        self.column -= start
        self.starts = self.starts - start

    def _shift(self, by: int) -> None:
        self._grow(len(self.rows), self.column + by)
        for tensors in self._layers.values():
            for tensor in tensors:
                tensor[: len(self.rows), :, by : self.column + by] = tensor[: len(self.rows), :, : self.column].clone()
        self.column += by
        self.starts = self.starts + by

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
