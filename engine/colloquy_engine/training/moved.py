"""How far did a fine-tune move the model? The KL divergence to where it started, on a sample of its own rows."""

import logging
import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ..protocol.trainer_messages import Moved
from .ranks import is_rank_lost, own_part, put_own_parts, shard_again
from .training_rows import IGNORED, TrainingRows

SAMPLE_ROWS = 32
TOKENS_AT_ONCE = 2048  # in one forward pass, padding included; a longer row is alone
PLACES_AT_ONCE = 256  # whose distributions over the whole vocabulary are compared at once
RECORD = "not-measured"  # beside the checkpoints of a job

Weights = dict[str, torch.Tensor]


def trained_weights(network: nn.Module) -> Weights:
    """A copy of the weights that are trained, in main memory: those of the adapter, or all of them. Of weights that are sharded over
    ranks, each rank copies its own parts."""
    return {name: own_part(weight).detach().to("cpu", copy=True) for name, weight in network.named_parameters() if weight.requires_grad}


def moved_from(
    start: Weights, network: nn.Module, rows: TrainingRows, pad_token: int, seed: int, all_can: Callable[[bool], bool] = bool
) -> Moved | None:
    """The mean over the completions' tokens of KL(network || network with the weights `start`), in nats.

    It is exact at each place: over the whole vocabulary, and computed in float32 also where the weights are bfloat16, whose rounding alone
    makes 1e-5 to 1e-4 nats of a change that is a thousand times smaller. The rows are a seeded sample. None when that cannot be done: when
    memory does not suffice, when the model has parts that cannot compute in float32, or when its logits are not finite. A model is worth
    more than its measure.

    Ranks that share the weights measure together, and give it up together: `all_can` is their `Ranks.all_can`, with what that raises.
    """
    chosen = random.Random(seed).sample(range(len(rows.input_ids)), min(SAMPLE_ROWS, len(rows.input_ids)))
    was_training = network.training
    network.eval()
    try:
        divergence, tokens = 0.0, 0
        for batch in _batches(rows, chosen):
            found = _measured(start, network, rows, batch, pad_token)
            if not all_can(found is not None):
                return None
            divergence, tokens = divergence + found[0], tokens + found[1]
    finally:
        network.train(was_training)
    per_token = divergence / tokens
    return Moved(kl_per_token=max(per_token, 0.0), tokens=tokens, rows=len(chosen)) if math.isfinite(per_token) else None


def never_measure_again(checkpoint_dir: Path) -> None:
    """Writes down for the next attempt at a job that the movement of its model cannot be measured."""
    checkpoint_dir.mkdir(parents=True, exist_ok=True)
    (checkpoint_dir / RECORD).touch()


def can_be_measured(checkpoint_dir: Path) -> bool:
    """Whether no earlier attempt at a job has found that the movement of its model cannot be measured."""
    return not (checkpoint_dir / RECORD).exists()


def _measured(start: Weights, network: nn.Module, rows: TrainingRows, batch: list[int], pad_token: int) -> tuple[float, int] | None:
    """The sum of the divergences over a batch's places, and how many these are."""
    try:
        with _plain_attention(network), _InFloat32():
            now = _logits(network, rows, batch, pad_token)
            with _weights_of(network, start):
                before = _logits(network, rows, batch, pad_token)
        parts = zip(now.split(PLACES_AT_ONCE), before.split(PLACES_AT_ONCE), strict=True)
        return sum(_divergence(*places) for places in parts), len(now)
    except (RuntimeError, ValueError) as error:  # for spent memory, for types that do not fit together, and for attention that the model does not have
        if is_rank_lost(error):
            raise
        logging.warning("How far the model moved was not measured: %s", error)
        return None


def _batches(rows: TrainingRows, chosen: list[int]) -> Iterator[list[int]]:
    """The chosen rows, those of about the same length together."""
    batch: list[int] = []
    for row in sorted(chosen, key=lambda row: len(rows.input_ids[row])):
        if batch and (len(batch) + 1) * len(rows.input_ids[row]) > TOKENS_AT_ONCE:
            yield batch
            batch = []
        batch.append(row)
    yield batch


class _InFloat32(TorchFunctionMode):
    """What a network computes with its weights, it computes in float32; each weight is converted when it is used."""

    WITH_WEIGHTS = (functional.linear, functional.layer_norm, functional.rms_norm, torch.matmul, torch.Tensor.matmul, torch.bmm, torch.addmm)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in self.WITH_WEIGHTS:
            args, kwargs = [_float32(each) for each in args], {name: _float32(each) for name, each in (kwargs or {}).items()}
        result = function(*args, **(kwargs or {}))
        return _float32(result) if function is functional.embedding else result


@contextmanager
def _plain_attention(network: nn.Module) -> Iterator[None]:
    """Attention that can compute in float32 and over padded rows."""
    used = network.config._attn_implementation
    if used in ("sdpa", "eager"):
        yield
        return
    network.set_attn_implementation("sdpa")
    try:
        yield
    finally:
        network.set_attn_implementation(used)


def _float32(value: object) -> object:
    return value.float() if isinstance(value, torch.Tensor) and value.is_floating_point() else value


@torch.no_grad()
def _logits(network: nn.Module, rows: TrainingRows, batch: list[int], pad_token: int) -> torch.Tensor:
    """The logits at each place that predicts a token of a completion: (places, vocabulary)."""
    longest = max(len(rows.input_ids[row]) for row in batch)

    def padded(lists: list[list[int]], padding: int) -> torch.Tensor:
        return torch.tensor([lists[row] + [padding] * (longest - len(lists[row])) for row in batch])

    device = next(network.parameters()).device
    tokens, labels = padded(rows.input_ids, pad_token), padded(rows.labels, IGNORED)
    mask = torch.tensor([[1] * len(rows.input_ids[row]) + [0] * (longest - len(rows.input_ids[row])) for row in batch])
    logits = network(input_ids=tokens.to(device), attention_mask=mask.to(device), use_cache=False).logits
    shard_again(network)
    return logits[:, :-1][(labels[:, 1:] != IGNORED).to(device)]


def _divergence(now: torch.Tensor, before: torch.Tensor) -> float:
    """The sum over places of KL(now || before), in float64: a model that hardly moved has 1e-7 nats a token."""
    now, before = (logits.double().log_softmax(-1) for logits in (now, before))
    return (now.exp() * (now - before)).sum().item()


@contextmanager
def _weights_of(network: nn.Module, weights: Weights) -> Iterator[None]:
    """The network has these weights while the block runs, and its own ones again after it, to the bit."""
    own = trained_weights(network)
    put_own_parts(network, weights)
    try:
        yield
    finally:
        put_own_parts(network, own)
