"""One chat request inside the engine, the answers that it grows, and when such an answer is complete."""

from collections.abc import Callable
from dataclasses import dataclass, field

from .adapters import Adapter
from .base_model import BaseModel


@dataclass(frozen=True)
class TokenLogprobs:
    """A token's log-probability, its rank (1 is the most probable) and the most probable tokens at its place."""

    token: int
    logprob: float
    rank: int
    top: list[tuple[int, float]]


@dataclass
class Choice:
    """One of a request's n answers while it grows."""

    key: int  # of its random numbers
    tokens: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprobs] = field(default_factory=list)
    finish_reason: str | None = None
    text: str = ""


@dataclass(eq=False)
class GenerationRequest:
    """What to generate. Prompt and max_tokens together fit into the context."""

    prompt: list[int]
    adapter: Adapter | None  # None: the base model
    temperature: float
    top_p: float
    max_tokens: int
    stop: list[str]
    top_logprobs: int | None  # None: no logprobs wanted
    prompt_logprobs: int | None
    choices: list[Choice]
    done: Callable[[Exception | None], None] | None = None  # called once, from the engine's thread
    cancelled: bool = False
    prompt_scores: list[TokenLogprobs | None] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        return all(choice.finish_reason for choice in self.choices)


def finish_reason(request: GenerationRequest, choice: Choice, model: BaseModel) -> str | None:
    """`stop` at an end token or a stop string, `length` at max_tokens, None while the answer goes on.

    Sets the answer's text when it is complete. A stop string is not part of the text.
    """
    ended = choice.tokens[-1] in model.end_tokens
    full = len(choice.tokens) >= request.max_tokens
    if not (ended or full or request.stop):
        return None
    text = None
    if request.stop and not ended:
        text = _text_before_stop(request, choice, model)
    if text is not None:
        choice.text = text
        return "stop"
    if ended or full:
        answer = choice.tokens[:-1] if ended else choice.tokens
        choice.text = model.tokenizer.decode(answer, skip_special_tokens=True)
        return "stop" if ended else "length"
    return None


def _text_before_stop(request: GenerationRequest, choice: Choice, model: BaseModel) -> str | None:
    # A token is at least one byte and a character at most four, so this many tokens hold the longest stop string.
    recent = choice.tokens[-(4 * max(map(len, request.stop)) + 4) :]
    tail = model.tokenizer.decode(recent, skip_special_tokens=True)
    if not any(stop in tail for stop in request.stop):
        return None
    text = model.tokenizer.decode(choice.tokens, skip_special_tokens=True)
    places = [text.find(stop) for stop in request.stop if stop in text]
    return text[: min(places)] if places else None
