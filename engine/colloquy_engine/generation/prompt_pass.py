"""Which prompts are read in one pass. Requests with the same prompt share its reading."""

from dataclasses import dataclass, field

from .adapters import Adapter
from .generation_request import GenerationRequest
from .prompt_cache import Beginning, PromptCache


@dataclass
class Reading:
    """One prompt of a pass, and all requests that have it."""

    prompt: list[int]
    adapter: Adapter | None
    beginning: Beginning | None
    requests: list[GenerationRequest] = field(default_factory=list)

    @property
    def new_tokens(self) -> int:
        return len(self.prompt) - (self.beginning.length if self.beginning else 0)


def next_pass(requests: list[GenerationRequest], most: int, cache: PromptCache | None) -> tuple[int, list[Reading]]:
    """How many of the requests, from the first on, are read in one pass of at most `most` tokens (at least one), and what it reads."""
    readings: dict[tuple, Reading] = {}
    tokens = 0
    for count, request in enumerate(requests):
        scored = request.prompt_logprobs is not None
        if count and scored != (requests[0].prompt_logprobs is not None):
            return count, list(readings.values())
        # Whose prompt is scored needs all its logits.
        name = (id(request.adapter), tuple(request.prompt), id(request) if scored else None)
        if name not in readings:
            beginning = None if scored or cache is None else cache.find(request.adapter, request.prompt)
            reading = Reading(request.prompt, request.adapter, beginning)
            tokens += reading.new_tokens
            if count and tokens > most:
                return count, list(readings.values())
            readings[name] = reading
        readings[name].requests.append(request)
    return len(requests), list(readings.values())
