"""Log-probabilities of answers and prompts, of the model's own distribution (before temperature and top_p)."""

import numpy as np
import torch

from .generation_request import Choice, GenerationRequest, TokenLogprobs


def score_tokens(rows: list[tuple[GenerationRequest, Choice]], logits: torch.Tensor, tokens: np.ndarray) -> None:
    """Appends the chosen token's logprobs to each answer that asked for them. logits [rows, vocabulary]."""
    for row, (request, choice) in enumerate(rows):
        if request.top_logprobs is not None:
            choice.logprobs.append(_score(_log_softmax(logits[row]), int(tokens[row]), request.top_logprobs))


def score_prompt(logits: torch.Tensor, prompt: list[int], top: int) -> list[TokenLogprobs | None]:
    """The logprobs of each prompt token given those before it; None for the first. logits [prompt, vocabulary]."""
    scores = _log_softmax(logits)
    return [None, *(_score(scores[place], token, top) for place, token in enumerate(prompt[1:]))]


def _log_softmax(logits: torch.Tensor) -> torch.Tensor:
    return torch.log_softmax(logits.double(), dim=-1)


def _score(scores: torch.Tensor, token: int, top: int) -> TokenLogprobs:
    logprob = scores[token]
    rank = int((scores > logprob).sum()) + 1
    best = torch.topk(scores, min(top, len(scores)))
    return TokenLogprobs(token, float(logprob), rank, list(zip(best.indices.tolist(), best.values.tolist(), strict=True)))
