"""One chat request inside the engine, and the answers that it grows."""

from dataclasses import dataclass, field

from .adapter_file import Adapter


@dataclass
class Choice:
    """One of a request's n answers while it grows."""

    key: int  # of its random numbers
    tokens: list[int] = field(default_factory=list)
    logprobs: list["TokenLogprobs"] = field(default_factory=list)
    finish_reason: str | None = None
    text: str = ""


@dataclass(frozen=True)
class TokenLogprobs:
    """A token's log-probability, its rank (1 is the most probable) and the most probable tokens at its place."""

    token: int
    logprob: float
    rank: int
    top: list[tuple[int, float]]


@dataclass(eq=False)
class GenerationRequest:
    """What to generate. max_tokens already fits into the context."""

    prompt: list[int]
    adapter: Adapter | None
    temperature: float
    top_p: float
    max_tokens: int
    stop: list[str]
    top_logprobs: int | None  # None: no logprobs wanted
    prompt_logprobs: int | None
    choices: list[Choice]
    done: "object" = None  # called once, from the engine's thread, with an exception or None
    cancelled: bool = False
    prompt_scores: list[TokenLogprobs | None] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        return all(choice.finish_reason for choice in self.choices)
