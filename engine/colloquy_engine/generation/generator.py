"""Continuous batching: one thread runs the model, and requests join and leave the running batch between steps."""

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from .base_model import BaseModel
from .generation_request import Choice, GenerationRequest, finish_reason
from .key_value_store import KeyValueStore, LongPrompt, store_forward
from .mixed_adapters import MixedAdapters
from .prompt_cache import PromptCache
from .prompt_pass import Reading, next_pass
from .sampling import choose_tokens, score_prompt, score_tokens, uniforms

log = logging.getLogger(__name__)

# Prompts are read together up to this many tokens: enough to keep the cores busy, and few enough that running answers wait only briefly
# and that the numbers between two layers fit into the cores' caches.
_PASS_TOKENS = 1024
# A prompt of at most this many tokens is read in one pass.
_PROMPT_TOKENS = 4096
# A longer prompt is read in slices of this many tokens, with a step of the running answers after each.
_SLICE_TOKENS = 512
# Of a prompt that is scored, all logits are kept: this many numbers in one pass (1 GB in float64 with its logarithms).
_SCORED_LOGITS = 2**26
# New requests are read together rather than one by one, but none waits more than this many steps for others.
_STEPS_FOR_COMPANY = 3

Row = tuple[GenerationRequest, Choice]


class QueueFull(Exception):
    """The request is refused because too many answers are waiting already."""


class NoNumbers(Exception):
    """A model's logits are NaN or infinite, so that no token can be chosen."""


@dataclass(eq=False)
class _LongReading:
    """A request whose prompt is being read in slices."""

    request: GenerationRequest
    prompt: LongPrompt


class Generator:
    """Answers requests with one model. `submit` and `stop` may be called from any thread."""

    def __init__(self, model: BaseModel, max_batch_size: int, max_queue: int):
        self._model, self._max_batch_size, self._max_queue = model, max_batch_size, max_queue
        self._adapters = MixedAdapters(model.network)
        self._store: KeyValueStore[Row] = KeyValueStore(model.dtype, model.device)
        self._cache = PromptCache(exact=model.fill_up) if model.keeps_prompts else None
        self._inbox: queue.SimpleQueue[GenerationRequest | None] = queue.SimpleQueue()
        self._waiting: deque[GenerationRequest] = deque()
        self._waited = 0  # steps since a request began to wait
        self._vocabulary = model.network.get_input_embeddings().weight.shape[0]
        self._long: deque[_LongReading] = deque()
        self._entering: list[GenerationRequest] = []  # taken from the queue, not yet all in the batch
        self._pending = 0  # answers submitted and not yet in the batch
        self._pending_lock = threading.Lock()
        self._stopping = False

    def submit(self, request: GenerationRequest) -> None:
        """Queues a request. `request.done` is called when its answers are complete. Raises QueueFull."""
        with self._pending_lock:
            if self._pending + len(request.choices) > self._max_queue:
                raise QueueFull(f"{self._pending} answers are waiting already; the queue holds {self._max_queue}.")
            self._pending += len(request.choices)
        self._inbox.put(request)

    def stop(self) -> None:
        """Ends `run` after the current step. Requests that are still running or waiting fail."""
        self._stopping = True
        self._inbox.put(None)

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self.run, name="generator", daemon=True)
        thread.start()
        return thread

    @torch.inference_mode()
    def run(self) -> None:
        """The loop of the engine's thread."""
        while not self._stopping:
            try:
                self._receive()
                self._drop_cancelled()
                self._admit()
                self._read_slice()
                if rows := self._store.rows:
                    self._step(rows)
            except Exception as error:  # a failed step must not end the server: its requests fail, the next ones may work
                log.exception("a generation step failed")
                self._fail_all(error)
        self._fail_all(RuntimeError("the server is shutting down"))

    def _receive(self) -> None:
        wait = not (self._store.rows or self._waiting or self._long)
        while wait or not self._inbox.empty():
            wait = False
            request = self._inbox.get()
            if request is not None:
                self._waiting.append(request)

    def _admit(self) -> None:
        running = len(self._store.rows) + sum(len(each.request.choices) for each in self._long)
        free = self._max_batch_size - running
        self._waited = self._waited + 1 if self._waiting and free else 0
        if self._waited <= _STEPS_FOR_COMPANY and min(len(self._waiting), free) < running / 16:
            return
        while self._waiting and len(self._waiting[0].choices) <= free:
            self._entering.append(self._waiting.popleft())
            free -= len(self._entering[-1].choices)
        with self._pending_lock:
            self._pending -= sum(len(request.choices) for request in self._entering)
        for request in self._entering:
            if len(request.prompt) > self._whole_tokens(request):
                self._long.append(_LongReading(request, LongPrompt(len(request.prompt))))
        self._entering = [request for request in self._entering if len(request.prompt) <= self._whole_tokens(request)]
        self._entering.sort(key=_company)
        while self._entering:
            most = min(_PASS_TOKENS, self._whole_tokens(self._entering[0]))
            count, readings = next_pass(self._entering, most, self._cache)
            self._read_prompts(readings)
            del self._entering[:count]
            self._waited = 0

    def _read_prompts(self, readings: list[Reading]) -> None:
        rows = [[(request, choice) for request in each.requests for choice in request.choices] for each in readings]
        known = [each.beginning for each in readings]
        positions = self._store.begin_prompts([len(each.prompt) for each in readings], rows, known)
        lengths = [each.new_tokens for each in readings]
        self._adapters.route_tokens([each.adapter for each in readings], lengths)
        ends = torch.as_tensor(np.cumsum(lengths) - 1, device=self._model.device)
        scoring = readings[0].requests[0].prompt_logprobs is not None
        tokens = [token for each in readings for token in each.prompt[-each.new_tokens :]]
        logits = self._forward([tokens], positions, 0 if scoring else ends)[0]
        if scoring:
            for each, own in zip(readings, logits.split(lengths), strict=True):
                [request] = each.requests
                request.prompt_scores = [None, *score_prompt(own[:-1], request.prompt[1:], request.prompt_logprobs)]
            logits = logits[ends]
        elif self._cache is not None:
            for each, layers, numbers in zip(readings, self._store.prompts_read, _are_numbers(logits), strict=True):
                # A NaN at one place of a prompt makes NaN of the places before it too, as 0 * NaN is NaN. Another prompt may begin with those.
                if numbers:
                    self._cache.keep(each.adapter, each.prompt, layers)
        source = np.repeat(np.arange(len(readings)), [len(each) for each in rows])
        self._extend([row for each in rows for row in each], logits[torch.as_tensor(source, device=logits.device)])

    def _whole_tokens(self, request: GenerationRequest) -> int:
        """The most tokens of prompts like this one that are read in one pass."""
        if request.prompt_logprobs is None:
            return _PROMPT_TOKENS
        return max(1, min(_PROMPT_TOKENS, _SCORED_LOGITS // self._vocabulary))

    def _read_slice(self) -> None:
        """Reads the next slice of the first long prompt; after the last one, its answers join the batch."""
        if not self._long:
            return
        request, prompt = self._long[0].request, self._long[0].prompt
        tokens = request.prompt[prompt.read : prompt.read + min(_SLICE_TOKENS, self._whole_tokens(request))]
        last = prompt.read + len(tokens) == prompt.length
        positions = self._store.begin_slice(prompt, len(tokens))
        self._adapters.route_tokens([request.adapter], [len(tokens)])
        scoring = request.prompt_logprobs is not None
        logits = self._forward([tokens], positions, 0 if scoring else 1)[0]
        if scoring:
            following = request.prompt[prompt.read + 1 : prompt.read + 1 + len(tokens)]
            request.prompt_scores = request.prompt_scores or [None]
            request.prompt_scores += score_prompt(logits[: len(following)], following, request.prompt_logprobs)
        prompt.read += len(tokens)
        if last:
            rows = [(request, choice) for choice in request.choices]
            self._store.end_long(prompt, rows)
            self._long.popleft()
            self._extend(rows, logits[-1:].expand(len(rows), -1))

    def _step(self, rows: list[Row]) -> None:
        positions = self._store.begin_step()
        self._adapters.route_rows([request.adapter for request, _ in rows])
        logits = self._forward([[choice.tokens[-1]] for _, choice in rows], positions, 1)[:, 0]
        self._store.end_step()
        self._extend(rows, logits)

    def _forward(self, tokens: list[list[int]], positions: torch.Tensor, logits_to_keep: int | torch.Tensor) -> torch.Tensor:
        return store_forward(self._model.network, self._store, tokens, positions, logits_to_keep, self._model.fill_up)

    def _extend(self, rows: list[Row], logits: torch.Tensor) -> None:
        """Adds the next token to these answers and removes the finished ones."""
        rows, logits = self._with_numbers(rows, logits)
        if not rows:
            return
        keys = np.array([choice.key for _, choice in rows], dtype=np.uint64)
        lengths = np.array([len(choice.tokens) for _, choice in rows])
        temperature = np.array([request.temperature for request, _ in rows])
        top_p = np.array([request.top_p for request, _ in rows])
        tokens = choose_tokens(logits, temperature, top_p, uniforms(keys, lengths))
        score_tokens(rows, logits, tokens)
        finished = []
        for (request, choice), token in zip(rows, tokens.tolist(), strict=True):
            choice.tokens.append(token)
            choice.finish_reason = finish_reason(request, choice, self._model)
            if choice.finish_reason:
                finished.append(request)
        if finished:
            self._remove(lambda request, choice: choice.finish_reason is not None)
        for request in dict.fromkeys(finished):
            if request.finished and not request.cancelled:
                request.done(None)

    def _with_numbers(self, rows: list[Row], logits: torch.Tensor) -> tuple[list[Row], torch.Tensor]:
        """The rows whose logits are numbers. The requests of the others fail, and leave the batch."""
        fine = _are_numbers(logits)
        if all(fine):
            return rows, logits
        failed = list(dict.fromkeys(request for (request, _), numbers in zip(rows, fine, strict=True) if not numbers))
        kept = [place for place, (request, _) in enumerate(rows) if request not in failed]
        self._store.erase(np.array([request in failed for request, _ in self._store.rows]))
        self._remove(lambda request, _: request in failed)
        for request in failed:
            if not request.cancelled:
                request.done(NoNumbers("gives logits that are not numbers (NaN or infinite) here, so no token can be chosen."))
        return [rows[place] for place in kept], logits[kept]

    def _remove(self, leaves: Callable[[GenerationRequest, Choice], bool]) -> None:
        self._store.keep(np.array([not leaves(*row) for row in self._store.rows]))

    def _drop_cancelled(self) -> None:
        gone = [request for request in self._waiting if request.cancelled]
        if gone:
            with self._pending_lock:
                self._pending -= sum(len(request.choices) for request in gone)
            self._waiting = deque(request for request in self._waiting if not request.cancelled)
        self._long = deque(each for each in self._long if not each.request.cancelled)
        if any(request.cancelled for request, _ in self._store.rows):
            self._remove(lambda request, _: request.cancelled)

    def _fail_all(self, error: Exception) -> None:
        with self._pending_lock:
            self._pending -= sum(len(request.choices) for request in self._waiting)
        reading = [each.request for each in self._long]
        requests = dict.fromkeys([request for request, _ in self._store.rows] + reading + self._entering + list(self._waiting))
        self._store = KeyValueStore(self._model.dtype, self._model.device)
        self._entering = []
        self._long.clear()
        self._waiting.clear()
        for request in requests:
            if not request.cancelled:
                request.done(error)


def _are_numbers(logits: torch.Tensor) -> list[bool]:
    """Of each row: False where it has a NaN or an infinite logit. One look at the device for all rows."""
    return torch.isfinite(logits.amax(dim=-1)).tolist()


def _company(request: GenerationRequest) -> tuple:
    # Prompts that need the logits of all their tokens are read separately; those of one adapter are read together (MixedAdapters.route_tokens).
    return (request.prompt_logprobs is not None, id(request.adapter))
