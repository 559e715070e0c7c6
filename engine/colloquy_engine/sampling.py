"""Choosing the next token: the same token for the same logits, seed and choice, whatever else is in the batch."""

import hashlib

import numpy as np
import torch

# Enough of the most probable tokens to hold the nucleus nearly always; beyond it a row is sorted as a whole.
PREFIX = 1024

_WEYL = np.uint64(0x9E3779B97F4A7C15)


def choice_key(seed: int, choice: int) -> int:
    """The 64-bit key of the random numbers of one of a request's n choices."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{choice}".encode()).digest()[:8], "little")


def uniforms(keys: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """One number in [0, 1) for each row: a function of its key and of the number of tokens that it has so far.

    A counter-based generator (splitmix64, Steele et al. 2014), so that no library's version changes an answer.
    """
    with np.errstate(over="ignore"):
        z = keys + (positions.astype(np.uint64) + np.uint64(1)) * _WEYL
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def choose_tokens(logits: torch.Tensor, temperature: np.ndarray, top_p: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """The next token of each row. logits [rows, vocabulary]; temperature 0 takes the most probable token, otherwise the
    inverse of the cumulative distribution over the nucleus of mass `top_p`, most probable token first, in float64."""
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
    # A token belongs to the nucleus when the mass before it is below top_p, so that the first always does.
    kept = np.maximum((cumulative - mass < top_p[:, None]).sum(axis=-1), 1)
    rows = np.arange(len(ids))
    total = np.where(top_p < 1, cumulative[rows, kept - 1], 1.0)
    place = (cumulative <= (uniform * total)[:, None]).sum(axis=-1)
    return ids[rows, np.minimum(place, kept - 1)]
