"""Loading the base model so that its answers can be repeated."""

import os
from dataclasses import dataclass

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from .attention import SLOT_ATTENTION
from .exact_norm import use_exact_norms

SMALL_MODEL_PARAMETERS = 50_000_000


class ModelNotServable(Exception):
    """The directory or id given as --model holds nothing that this server can serve."""


@dataclass(frozen=True)
class BaseModel:
    """The model, its tokenizer and the facts about it that answering needs."""

    name_or_path: str
    network: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    end_tokens: frozenset[int]
    context_length: int  # tokens of prompt and answer together
    device: torch.device
    dtype: torch.dtype


def load_base_model(name_or_path: str, dtype: str = "auto", device: str = "auto") -> BaseModel:
    """Loads a causal language model for serving. `dtype` "auto" is float64 for small models on a CPU, so that what else
    is in a batch (a rounding of 1e-16) cannot change a sampled token; float32 for larger ones; bfloat16 on a GPU."""
    if os.path.exists(name_or_path):
        os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        config = AutoConfig.from_pretrained(name_or_path)
        tokenizer = AutoTokenizer.from_pretrained(name_or_path)
        target = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
        network = AutoModelForCausalLM.from_pretrained(name_or_path, dtype=_loading_dtype(dtype, target))
    except (OSError, ValueError) as error:
        raise ModelNotServable(f"Cannot load the model {name_or_path!r}: {error}") from error
    if tokenizer.chat_template is None:
        raise ModelNotServable(f"The tokenizer of {name_or_path!r} has no chat template, so it cannot answer chats.")
    if dtype == "auto" and target.type == "cpu" and network.num_parameters() < SMALL_MODEL_PARAMETERS:
        network = network.to(torch.float64)
    network = network.to(target).eval().requires_grad_(False)
    network.set_attn_implementation(SLOT_ATTENTION)
    use_exact_norms(network)
    return BaseModel(
        name_or_path, network, tokenizer, _end_tokens(network, tokenizer), _context_length(config), target, network.dtype
    )


def _loading_dtype(dtype: str, device: torch.device) -> torch.dtype:
    if dtype == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return getattr(torch, dtype)


def _end_tokens(network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    configured = network.generation_config.eos_token_id
    ends = {configured} if isinstance(configured, int) else set(configured or ())
    return frozenset(ends | ({tokenizer.eos_token_id} - {None}))


def _context_length(config) -> int:
    limits = [config.max_position_embeddings]
    # Slot attention attends to everything, so a model with a sliding window is served only within its window.
    if getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True):
        limits.append(config.sliding_window)
    return min(limits)
