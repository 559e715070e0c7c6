"""Loads the base model in such a way that its answers can be repeated."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from ..protocol.process import default_threads, keep_freed_memory, refused_by_system
from .chat_tokens import end_tokens
from .exactness import Inexact, OwnLogits, own_logits, require_exact
from .independence import independent_of_beginnings, independent_of_neighbours
from .key_value_store import AttentionOptionUnknown

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
    linears: dict[str, nn.Linear]  # the modules that adapters can adapt, by name
    fill_up: bool  # whether passes are filled up, so that an answer's bits do not depend on its neighbours (key_value_store.py)
    keeps_prompts: bool  # whether a prompt may be read after a beginning that is known, without other answers
    one_thread: bool  # whether it computes with one thread of a CPU, so that more processes answer more
    weights: str  # SHA-256 of the name that src/store/models.ts (baseModelHash) gives to its weights


def load_base_model(name_or_path: str, dtype: str = "auto", device: str = "auto", threads: int | None = None) -> BaseModel:
    """Loads a causal language model for serving. Raises ModelNotServable, also for a family that the engine cannot run exactly.

    `dtype` "auto" is float32 on a CPU and bfloat16 on a GPU. A small model on a CPU is probed (independence.py): where its answers depend on
    the rest of their batch in float32, it is run in float64, in which that changes a number by about 1e-16 and no sampled token.
    `threads` of the arithmetic on a CPU: by default one for a small model, and all cores but one for others.
    """
    if os.path.exists(name_or_path):
        os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        config = AutoConfig.from_pretrained(name_or_path)
        tokenizer = AutoTokenizer.from_pretrained(name_or_path)
        target = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
        network, loading = AutoModelForCausalLM.from_pretrained(
            name_or_path, dtype=_loading_dtype(dtype, target), output_loading_info=True
        )
    except Exception as error:  # each library raises classes of its own for a damaged or unknown model
        if may_pass(error):
            raise
        raise ModelNotServable(f"Cannot load the model {name_or_path!r}: {error}") from error
    # transformers fills them with random numbers, and only warns.
    if lacking := sorted(map(str, loading["missing_keys"] or loading["mismatched_keys"])):
        raise ModelNotServable(f"Cannot load the model {name_or_path!r}: its files lack {len(lacking)} of its weights, such as {lacking[0]}.")
    if tokenizer.chat_template is None:
        raise ModelNotServable(f"The tokenizer of {name_or_path!r} has no chat template, so it cannot answer chats.")
    network = network.to(target).eval().requires_grad_(False)
    try:
        context_length = _context_length(config)
        small = target.type == "cpu" and is_small(network)
        if target.type == "cpu":
            torch.set_num_threads(threads or (1 if small else default_threads()))
        if small:
            keep_freed_memory()
        network, own, fill_up = _made_exact(network, context_length, dtype == "auto" and small)
        # Where bits are not the same anyway, a known beginning changes no more than another batch does.
        keeps_prompts = not fill_up or independent_of_beginnings(network, own.linears, context_length)
    except Exception as error:  # a family that cannot run fails in a way of its own
        if may_pass(error):
            raise
        raise ModelNotServable(_cannot_run(config, name_or_path, error)) from error
    ends = end_tokens(network.generation_config, tokenizer)
    weights, one_thread = weights_name(name_or_path), target.type == "cpu" and torch.get_num_threads() == 1
    return BaseModel(
        name_or_path, network, tokenizer, ends, context_length, target, network.dtype, own.linears, fill_up, keeps_prompts, one_thread, weights
    )


def is_small(network: PreTrainedModel) -> bool:
    """Whether a CPU does more with several processes of one thread each than with one process of several threads."""
    return network.num_parameters() < SMALL_MODEL_PARAMETERS


def weights_name(name_or_path: str) -> str:
    """A hash that is the same for the same weights, and that TypeScript computes too: of each weight file's name and SHA-256, or of the
    id of a model that is no directory here."""
    files = sorted(Path(name_or_path).glob("*.safetensors")) if os.path.isdir(name_or_path) else []
    name = ",".join(f"{file.name}:{file_sha256(file)}" for file in files) or name_or_path
    if len(files) > 1:
        name = f"{len(files)} files:{hashlib.sha256(name.encode()).hexdigest()}"
    return hashlib.sha256(name.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def may_pass(error: Exception) -> bool:
    """Whether another start may succeed: the hub did not answer, the system refused a file, or memory was short."""
    words = ("couldn't connect", "Connection error", "Max retries exceeded", "timed out")
    return (
        refused_by_system(error)
        or isinstance(error, (MemoryError, ConnectionError, TimeoutError, torch.OutOfMemoryError))
        or any(word in str(error) for word in (*words, "not enough memory", "out of memory"))
    )


def _cannot_run(config: PreTrainedConfig, name_or_path: str, error: Exception) -> str:
    family = (getattr(config, "architectures", None) or [config.model_type])[0]
    why = str(error) if isinstance(error, (Inexact, AttentionOptionUnknown)) else f"{type(error).__name__}: {error}"
    return f"The embedded engine cannot run {family} ({name_or_path}) exactly: {why}. Use vLLM (an endpoint of kind vllm) for this model."


def _made_exact(network: PreTrainedModel, context_length: int, choose_dtype: bool) -> tuple[PreTrainedModel, OwnLogits, bool]:
    """The network as the engine runs it, with its own logits, and whether passes have to be filled up. Raises Inexact, and whatever a
    family raises that cannot run."""
    own = _run_by_engine(network, context_length)
    if not choose_dtype or independent_of_neighbours(network, own.linears, context_length):
        return network, own, choose_dtype
    try:
        network = network.to(torch.float64)
        return network, _run_by_engine(network, context_length), False
    except RuntimeError:  # a few families (mixtures of experts) cannot run in float64
        network = network.to(torch.float32)
        return network, _run_by_engine(network, context_length), False


def _run_by_engine(network: PreTrainedModel, context_length: int) -> OwnLogits:
    own = own_logits(network, context_length)
    use_exact_norms(network)
    require_exact(network, own)
    return own


def _loading_dtype(dtype: str, device: torch.device) -> torch.dtype:
    if dtype == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return getattr(torch, dtype)


def _context_length(config: PreTrainedConfig) -> int:
    text = config.get_text_config()
    limits = [getattr(text, "max_position_embeddings", None)]
    if limits[0] is None:
        raise Inexact("its config does not state how long a text may be (max_position_embeddings)")
    # Slot attention attends to everything, so a model with a sliding window or with chunks is served only within one of them.
    if getattr(text, "use_sliding_window", True):
        limits.append(getattr(text, "sliding_window", None))
    limits.append(getattr(text, "attention_chunk_size", None))
    # Beyond its first length, LongRoPE turns all positions otherwise: a long prompt would change the others of its batch.
    rope = getattr(text, "rope_parameters", None) or {}
    for parameters in [rope, *rope.values()]:
        if isinstance(parameters, dict) and parameters.get("rope_type") == "longrope":
            limits.append(parameters.get("original_max_position_embeddings") or getattr(text, "original_max_position_embeddings", None))
    return min(limit for limit in limits if limit)


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
