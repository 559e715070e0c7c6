"""The running batch's keys and values: one slot a row, all rows aligned at one moving column.

Row r holds its prompt and answer in columns starts[r] .. column-1, so all rows write their next token into the same
column, rows come and go without moving each other, and attention reads views: nothing is concatenated or padded anew.
"""

import numpy as np
import torch

MASKED = -1e30  # finite, so that a position with nothing to attend to gives numbers and not NaN
_FIRST_COLUMNS = 512
_FIRST_SLOTS = 16


class KeyValueSlots:
    """What transformers calls a cache. `update` is called by each attention layer in the middle of a forward pass."""

    def __init__(self, dtype: torch.dtype, device: torch.device):
        self.dtype, self.device = dtype, device
        self.column = 0  # where the next token of every row goes
        self.starts = np.zeros(0, dtype=np.int64)  # of the rows in use, first column
        self._layers: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self._slots, self._columns = _FIRST_SLOTS, _FIRST_COLUMNS
        self._arriving: tuple[torch.Tensor, torch.Tensor, int] | None = None

    @property
    def rows(self) -> int:
        return len(self.starts)

    @property
    def window_start(self) -> int:
        return int(self.starts.min()) if self.rows else self.column

    def begin_decode(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Prepares one token for every row. Returns position_ids [rows, 1] and the mask [rows, 1, 1, window]."""
        if self.column == self._columns:
            self._make_room()
        self._arriving = None
        columns = np.arange(self.window_start, self.column + 1)
        mask = np.where(columns[None, :] < self.starts[:, None], MASKED, 0.0)[:, None, None, :]
        positions = (self.column - self.starts)[:, None]
        return torch.as_tensor(positions, device=self.device), self._tensor(mask)

    def end_decode(self) -> None:
        self.column += 1

    def begin_prefill(self, lengths: list[int], copies: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Prepares left-padded prompts of these lengths, prompt i for copies[i] new rows behind the rows in use.
        Returns position_ids [prompts, longest] and the mask [prompts, 1, longest, longest]."""
        longest = max(lengths)
        if self.rows == 0:
            self.column = max(longest, min(self._columns // 2, 256))
        if self.column < longest:
            self._shift(longest - self.column)
        first, last = self.rows, self.rows + sum(copies)
        self._grow(last, self.column)
        source = np.repeat(np.arange(len(lengths)), copies)
        self.starts = np.concatenate([self.starts, self.column - np.asarray(lengths)[source]])
        self._arriving = (torch.as_tensor(source, device=self.device), torch.arange(first, last, device=self.device), longest)
        padding = longest - np.asarray(lengths)[:, None]
        columns = np.arange(longest)
        positions = np.maximum(columns[None, :] - padding, 0)
        hidden = (columns[None, None, :] < padding[:, :, None]) | (columns[None, None, :] > columns[None, :, None])
        return torch.as_tensor(positions, device=self.device), self._tensor(np.where(hidden, MASKED, 0.0)[:, None])

    def update(self, key: torch.Tensor, value: torch.Tensor, layer: int, *_args, **_kwargs):
        """Stores one layer's new keys and values and returns those to attend to."""
        keys, values = self._layer(layer, key)
        if self._arriving is not None:
            source, rows, longest = self._arriving
            span = slice(self.column - longest, self.column)
            first, last = self.rows - len(rows), self.rows
            keys[first:last, :, span] = key if len(source) == len(key) else key[source]
            values[first:last, :, span] = value if len(source) == len(value) else value[source]
            return key, value
        start, rows = self.window_start, self.rows
        keys[:rows, :, self.column] = key[:, :, 0]
        values[:rows, :, self.column] = value[:, :, 0]
        return keys[:rows, :, start : self.column + 1], values[:rows, :, start : self.column + 1]

    def get_seq_length(self, *_args) -> int:
        """Part of transformers' cache protocol: tokens held so far."""
        return self.column - self.window_start

    def keep(self, rows: np.ndarray) -> np.ndarray:
        """Drops all rows but these. Rows behind the new end move into the holes; returns, for each slot, the old row."""
        kept = np.sort(rows)
        count = len(kept)
        holes = np.setdiff1d(np.arange(count), kept)
        movers = kept[kept >= count]
        if len(holes):
            span = slice(int(self.starts[movers].min()), self.column)
            to = torch.as_tensor(holes, device=self.device)
            source = torch.as_tensor(movers, device=self.device)
            for keys, values in self._layers.values():
                keys[to, :, span] = keys[source, :, span]
                values[to, :, span] = values[source, :, span]
        order = np.arange(count)
        order[holes] = movers
        self.starts = self.starts[order]
        return order

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(array, device=self.device).to(self.dtype)

    def _layer(self, layer: int, key: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if layer not in self._layers:
            shape = (self._slots, key.shape[1], self._columns, key.shape[3])
            # Zeros and not empty memory: a masked column still is multiplied by zero, and 0 * NaN is NaN.
            self._layers[layer] = tuple(torch.zeros(shape, dtype=key.dtype, device=key.device) for _ in range(2))
        return self._layers[layer]

    def _make_room(self) -> None:
        start = self.window_start
        if self.column - start > self._columns // 2:
            self._grow(self.rows, self._columns + 1)
            return
        for tensors in self._layers.values():
            for tensor in tensors:
                tensor[: self.rows, :, : self.column - start] = tensor[: self.rows, :, start : self.column]
        self.column -= start
        self.starts = self.starts - start

    def _shift(self, by: int) -> None:
        self._grow(self.rows, self.column + by)
        for tensors in self._layers.values():
            for tensor in tensors:
                tensor[: self.rows, :, by : self.column + by] = tensor[: self.rows, :, : self.column].clone()
        self.column += by
        self.starts = self.starts + by

    def _grow(self, slots: int, columns: int) -> None:
        new_slots, new_columns = self._slots, self._columns
        while new_slots < slots:
            new_slots *= 2
        while new_columns < columns:
            new_columns *= 2
        if (new_slots, new_columns) == (self._slots, self._columns):
            return
        for layer, tensors in self._layers.items():
            grown = []
            for tensor in tensors:
                larger = torch.zeros((new_slots, tensor.shape[1], new_columns, tensor.shape[3]), dtype=tensor.dtype, device=tensor.device)
                larger[: self._slots, :, : self._columns] = tensor
                grown.append(larger)
            self._layers[layer] = tuple(grown)
        self._slots, self._columns = new_slots, new_columns
