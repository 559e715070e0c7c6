"""Chooses the next token of each answer, and gives log-probabilities of tokens.

The chosen token depends on the logits, the seed and the answer's number, and not on the rest of the batch. Log-probabilities are those
of the model's own distribution: before temperature and top_p.
"""

import hashlib

import numpy as np
import torch

from .generation_request import Choice, GenerationRequest, TokenLogprobs

# This many of the most probable tokens nearly always hold the nucleus; otherwise the whole row is sorted.
PREFIX = 1024

_WEYL = np.uint64(0x9E3779B97F4A7C15)


def choice_key(seed: int, choice: int) -> int:
    """The 64-bit key of the random numbers of one of a request's n choices."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{choice}".encode()).digest()[:8], "little")


def uniforms(keys: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """One number in [0, 1) for each row: a function of its key and of the number of tokens that the row has so far.

    A counter-based generator (splitmix64, Steele et al. 2014), so that the version of a library cannot change an answer.
    """
    with np.errstate(over="ignore"):
        z = keys + (positions.astype(np.uint64) + np.uint64(1)) * _WEYL
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def choose_tokens(logits: torch.Tensor, temperature: np.ndarray, top_p: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """The next token of each row. logits is [rows, vocabulary]. Temperature 0 takes the most probable token. Otherwise the row's
    uniform number is put through the inverse of the cumulative distribution of the nucleus of mass `top_p`, most probable token first,
    in float64."""
    tokens = torch.argmax(logits, dim=-1).cpu().numpy()
    sampled = np.flatnonzero(temperature > 0)
    if sampled.size == 0:
        return tokens
    rows = logits if sampled.size == len(tokens) else logits[torch.as_tensor(sampled, device=logits.device)]
    scale = torch.as_tensor(temperature[sampled], device=logits.device).unsqueeze(1)
    probabilities = torch.softmax(rows.double() / scale, dim=-1)
    tokens[sampled] = _invert(probabilities, top_p[sampled], uniform[sampled])
    return tokens


def _invert(probabilities: torch.Tensor, top_p: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    vocabulary = probabilities.shape[-1]
    if vocabulary <= 2 * PREFIX:
        mass, ids = torch.sort(probabilities, dim=-1, descending=True, stable=True)
        return _pick(mass.cpu().numpy(), ids.cpu().numpy(), top_p, uniform)
    ids, _ = torch.sort(torch.topk(probabilities, PREFIX, dim=-1).indices, dim=-1)
    mass, order = torch.sort(torch.gather(probabilities, -1, ids), dim=-1, descending=True, stable=True)
    ids = torch.gather(ids, -1, order)
    held = mass.sum(dim=-1).cpu().numpy()
    tokens = _pick(mass.cpu().numpy(), ids.cpu().numpy(), top_p, uniform)
    beyond = np.flatnonzero(held < np.where(top_p < 1, top_p, uniform))
    if beyond.size:
        mass, ids = torch.sort(probabilities[torch.as_tensor(beyond)], dim=-1, descending=True, stable=True)
        tokens[beyond] = _pick(mass.cpu().numpy(), ids.cpu().numpy(), top_p[beyond], uniform[beyond])
    return tokens


def _pick(mass: np.ndarray, ids: np.ndarray, top_p: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    cumulative = np.cumsum(mass, axis=-1)
    # A token belongs to the nucleus when the mass before it is below top_p, so the first token always does.
    kept = np.maximum((cumulative - mass < top_p[:, None]).sum(axis=-1), 1)
    rows = np.arange(len(ids))
    total = np.where(top_p < 1, cumulative[rows, kept - 1], 1.0)
    place = (cumulative <= (uniform * total)[:, None]).sum(axis=-1)
    return ids[rows, np.minimum(place, kept - 1)]


def score_tokens(rows: list[tuple[GenerationRequest, Choice]], logits: torch.Tensor, tokens: np.ndarray) -> None:
    """Appends the chosen token's logprobs to each answer that asked for them. logits is [rows, vocabulary]."""
    for row, (request, choice) in enumerate(rows):
        if request.top_logprobs is not None:
            choice.logprobs.append(_score(_log_softmax(logits[row]), int(tokens[row]), request.top_logprobs))


def score_prompt(logits: torch.Tensor, tokens: list[int], top: int) -> list[TokenLogprobs]:
    """The logprobs of tokens of a prompt, each given those before it. Row i of logits, [tokens, vocabulary], is that before token i."""
    scores = _log_softmax(logits)
    return [_score(scores[place], token, top) for place, token in enumerate(tokens)]


def _log_softmax(logits: torch.Tensor) -> torch.Tensor:
    return torch.log_softmax(logits.double(), dim=-1)


def _score(scores: torch.Tensor, token: int, top: int) -> TokenLogprobs:
    logprob = scores[token]
    rank = int((scores > logprob).sum()) + 1
    best = torch.topk(scores, min(top, len(scores)))
    return TokenLogprobs(token, float(logprob), rank, list(zip(best.indices.tolist(), best.values.tolist(), strict=True)))
