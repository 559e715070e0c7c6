"""Continuous batching: one thread that runs the model; requests join and leave the running batch between steps."""

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable

import numpy as np
import torch

from .base_model import BaseModel
from .generation_request import Choice, GenerationRequest
from .key_value_slots import KeyValueSlots
from .mixed_adapters import MixedAdapters
from .sampling import choose_tokens, uniforms
from .stopping import finish_reason
from .token_logprobs import score_prompt, score_tokens

log = logging.getLogger(__name__)

# Padded prompt tokens in one prefill: enough to fill the cores, and short enough that running answers go on.
_PREFILL_TOKENS = 4096


class QueueFull(Exception):
    """So many answers wait already that this request is refused."""


class Generator:
    """Answers requests with one model. All methods but `run` may be called from any thread."""

    def __init__(self, model: BaseModel, max_batch_size: int, max_queue: int):
        self._model, self._max_batch_size, self._max_queue = model, max_batch_size, max_queue
        self._slots = KeyValueSlots(model.dtype, model.device)
        self._adapters = MixedAdapters(model.network)
        self._inbox: queue.SimpleQueue[GenerationRequest | Callable[[], None]] = queue.SimpleQueue()
        self._waiting: deque[GenerationRequest] = deque()
        self._entering: list[GenerationRequest] = []  # taken from the queue, not yet all prefilled
        self._running: list[tuple[GenerationRequest, Choice]] = []
        self._last = np.zeros(0, dtype=np.int64)  # the newest token of each running answer
        self._pending = 0  # answers submitted and not yet in the batch
        self._pending_lock = threading.Lock()
        self._stopping = False

    def submit(self, request: GenerationRequest) -> None:
        """Queues a request; `request.done` is called when its answers are complete. Raises QueueFull."""
        with self._pending_lock:
            if self._pending + len(request.choices) > self._max_queue:
                raise QueueFull(f"{self._pending} answers are waiting already; the queue holds {self._max_queue}.")
            self._pending += len(request.choices)
        self._inbox.put(request)

    def stop(self) -> None:
        """Ends `run` after the step in hand; what is still running or waiting fails."""
        self._stopping = True
        self._inbox.put(lambda: None)

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self.run, name="generator", daemon=True)
        thread.start()
        return thread

    @torch.inference_mode()
    def run(self) -> None:
        """The loop of the engine's thread."""
        while not self._stopping:
            self._receive()
            self._drop_cancelled()
            try:
                self._admit()
                if self._running:
                    self._decode()
            except Exception as error:  # one failed step must not end the server: its requests fail, the next may work
                log.exception("a generation step failed")
                self._fail_all(error)
        self._fail_all(RuntimeError("the server is shutting down"))

    def _receive(self) -> None:
        wait = not (self._running or self._waiting)
        while wait or not self._inbox.empty():
            item = self._inbox.get()
            wait = False
            if isinstance(item, GenerationRequest):
                self._waiting.append(item)
            else:
                item()

    def _admit(self) -> None:
        free = self._max_batch_size - len(self._running)
        batch: list[GenerationRequest] = []
        while self._waiting and len(self._waiting[0].choices) <= free:
            batch.append(self._waiting.popleft())
            free -= len(batch[-1].choices)
        if not batch:
            return
        with self._pending_lock:
            self._pending -= sum(len(request.choices) for request in batch)
        self._entering = sorted(batch, key=lambda request: (request.prompt_logprobs is not None, len(request.prompt)))
        while self._entering:
            count = 1
            while count < len(self._entering) and self._fits(self._entering[: count + 1]):
                count += 1
            self._prefill(self._entering[:count])
            self._entering = self._entering[count:]

    def _fits(self, batch: list[GenerationRequest]) -> bool:
        same_kind = (batch[0].prompt_logprobs is None) == (batch[-1].prompt_logprobs is None)
        return same_kind and len(batch) * len(batch[-1].prompt) <= _PREFILL_TOKENS

    def _prefill(self, batch: list[GenerationRequest]) -> None:
        lengths, copies = [len(r.prompt) for r in batch], [len(r.choices) for r in batch]
        longest = max(lengths)
        positions, mask = self._slots.begin_prefill(lengths, copies)
        padded = torch.tensor([[0] * (longest - len(r.prompt)) + r.prompt for r in batch], device=self._model.device)
        self._adapters.route([r.adapter for r in batch])
        scoring = batch[0].prompt_logprobs is not None
        logits = self._forward(padded, positions, mask, 0 if scoring else 1)
        if scoring:
            for request, row in zip(batch, logits, strict=True):
                request.prompt_scores = score_prompt(row[longest - len(request.prompt) :], request.prompt, request.prompt_logprobs)
        newcomers = [(request, choice) for request in batch for choice in request.choices]
        source = np.repeat(np.arange(len(batch)), copies)
        last = logits[:, -1] if len(source) == len(batch) else logits[torch.as_tensor(source, device=logits.device), -1]
        first = self._running
        self._running = first + newcomers
        self._last = np.concatenate([self._last, np.zeros(len(newcomers), dtype=np.int64)])
        self._extend(len(first), last)

    def _decode(self) -> None:
        positions, mask = self._slots.begin_decode()
        self._adapters.route([request.adapter for request, _ in self._running])
        tokens = torch.as_tensor(self._last, device=self._model.device).unsqueeze(1)
        logits = self._forward(tokens, positions, mask, 1)[:, -1]
        self._slots.end_decode()
        self._extend(0, logits)

    def _forward(self, tokens: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor, logits_to_keep: int) -> torch.Tensor:
        return self._model.network(
            input_ids=tokens,
            position_ids=positions,
            attention_mask=mask,
            past_key_values=self._slots,
            use_cache=True,
            logits_to_keep=logits_to_keep,
        ).logits

    def _extend(self, first: int, logits: torch.Tensor) -> None:
        """Adds the next token to the running answers from `first` on, and lets the finished ones leave."""
        rows = self._running[first:]
        keys = np.array([choice.key for _, choice in rows], dtype=np.uint64)
        lengths = np.array([len(choice.tokens) for _, choice in rows])
        temperature = np.array([request.temperature for request, _ in rows])
        top_p = np.array([request.top_p for request, _ in rows])
        tokens = choose_tokens(logits, temperature, top_p, uniforms(keys, lengths))
        score_tokens(rows, logits, tokens)
        self._last[first:] = tokens
        finished = []
        for row, ((request, choice), token) in enumerate(zip(rows, tokens.tolist(), strict=True), start=first):
            choice.tokens.append(token)
            choice.finish_reason = finish_reason(request, choice, self._model)
            if choice.finish_reason:
                finished.append(row)
        if finished:
            self._leave(finished)

    def _leave(self, rows: list[int]) -> None:
        leaving = [self._running[row] for row in rows]
        order = self._slots.keep(np.setdiff1d(np.arange(len(self._running)), rows))
        self._running = [self._running[row] for row in order]
        self._last = self._last[order]
        for request in dict.fromkeys(request for request, _ in leaving):
            if request.finished and not request.cancelled:
                request.done(None)

    def _drop_cancelled(self) -> None:
        if any(request.cancelled for request in self._waiting):
            with self._pending_lock:
                self._pending -= sum(len(request.choices) for request in self._waiting if request.cancelled)
            self._waiting = deque(request for request in self._waiting if not request.cancelled)
        gone = [row for row, (request, _) in enumerate(self._running) if request.cancelled]
        if gone:
            self._leave(gone)

    def _fail_all(self, error: Exception) -> None:
        requests = dict.fromkeys([request for request, _ in self._running] + self._entering + list(self._waiting))
        self._entering = []
        self._running, self._last, self._slots = [], self._last[:0], KeyValueSlots(self._model.dtype, self._model.device)
        with self._pending_lock:
            self._pending -= sum(len(request.choices) for request in self._waiting)
        self._waiting.clear()
        for request in requests:
            if not request.cancelled:
                request.done(error)
