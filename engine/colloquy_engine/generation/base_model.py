"""Loads the base model in such a way that its answers can be repeated."""

import os
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from ..protocol.process import refused_by_system
from .chat_tokens import end_tokens
from .key_value_store import SLOT_ATTENTION

SMALL_MODEL_PARAMETERS = 50_000_000


class ModelNotServable(Exception):
    """This server cannot serve the directory or the id given as --model."""


@dataclass(frozen=True)
class BaseModel:
    """The model, its tokenizer, and the facts about it that are needed to answer."""

    name_or_path: str
    network: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    end_tokens: frozenset[int]
    context_length: int  # tokens of prompt and answer together
    device: torch.device
    dtype: torch.dtype


def load_base_model(name_or_path: str, dtype: str = "auto", device: str = "auto") -> BaseModel:
    """Loads a causal language model for serving. Raises ModelNotServable.

    `dtype` "auto" is float64 for small models on a CPU, so that the rest of a batch (which changes a number by about 1e-16) cannot
    change a sampled token; float32 for larger models on a CPU; bfloat16 on a GPU.
    """
    if os.path.exists(name_or_path):
        os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        config = AutoConfig.from_pretrained(name_or_path)
        tokenizer = AutoTokenizer.from_pretrained(name_or_path)
        target = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
        network = AutoModelForCausalLM.from_pretrained(name_or_path, dtype=_loading_dtype(dtype, target))
    except (OSError, ValueError) as error:
        if refused_by_system(error):
            raise
        raise ModelNotServable(f"Cannot load the model {name_or_path!r}: {error}") from error
    if tokenizer.chat_template is None:
        raise ModelNotServable(f"The tokenizer of {name_or_path!r} has no chat template, so it cannot answer chats.")
    if dtype == "auto" and target.type == "cpu" and network.num_parameters() < SMALL_MODEL_PARAMETERS:
        network = network.to(torch.float64)
    network = network.to(target).eval().requires_grad_(False)
    network.set_attn_implementation(SLOT_ATTENTION)
    use_exact_norms(network)
    return BaseModel(name_or_path, network, tokenizer, end_tokens(network, tokenizer), _context_length(config), target, network.dtype)


def _loading_dtype(dtype: str, device: torch.device) -> torch.dtype:
    if dtype == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return getattr(torch, dtype)


def _context_length(config) -> int:
    limits = [config.max_position_embeddings]
    # Slot attention attends to everything, so a model with a sliding window is served only within its window.
    if getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True):
        limits.append(config.sliding_window)
    return min(limits)


def use_exact_norms(network: nn.Module) -> None:
    """Replaces RMS norms by torch's fused norm, which keeps the model's own precision.

    transformers' RMS norms compute in float32 whatever the model's dtype. In a float64 model that loses the digits that make an answer
    independent of its batch. The fused norm keeps them, and is one operation instead of six. A norm that the fused one does not
    reproduce is left as it is.
    """
    for module in network.modules():
        epsilon = getattr(module, "variance_epsilon", None)
        if type(module).__name__.endswith("RMSNorm") and epsilon is not None and _is_plain(module, epsilon):
            module.forward = _fused(module, epsilon)


def _fused(module: nn.Module, epsilon: float):
    shape, weight = module.weight.shape, module.weight
    return lambda hidden_states: functional.rms_norm(hidden_states, shape, weight, epsilon)


def _is_plain(module: nn.Module, epsilon: float) -> bool:
    # Some model families multiply by (1 + weight). Trying the norm out is safer than a list of class names.
    weight = module.weight
    probe = torch.linspace(-2, 3, weight.numel(), dtype=weight.dtype, device=weight.device).view(1, *weight.shape)
    fused = functional.rms_norm(probe, weight.shape, weight, epsilon)
    return torch.allclose(module(probe).float(), fused.float(), rtol=1e-2, atol=1e-3)
