"""How a fine-tune is carried out on this machine: number format, attention, padding. It changes the speed and the rounding, never what is learnt."""

import importlib.util
import logging
from dataclasses import dataclass

import torch
from torch.nn.attention.varlen import varlen_attn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedModel
from transformers.utils import is_flash_attn_2_available, is_flash_attn_3_available

from ..protocol.trainer_messages import TrainingFailure

VARLEN = "sdpa_varlen"  # our name for PyTorch's own attention over rows without padding
FLASH = {"flash_attention_3": is_flash_attn_3_available, "flash_attention_2": is_flash_attn_2_available}


@dataclass(frozen=True)
class Wanted:
    """What the worker's configuration asks for. None: what is best on this device."""

    padding_free: bool | None = None
    attn_implementation: str | None = None
    processes: int = 1

    def require_available(self) -> None:
        """Raises TrainingFailure `bad_trainer` for what this machine does not have."""
        asked = self.attn_implementation
        if asked in FLASH and not FLASH[asked]():
            raise TrainingFailure(
                "bad_trainer",
                f"attn_implementation is {asked}, and the trainer's Python has no such FlashAttention for a graphics card of this machine. "
                f"Install it there, or leave attn_implementation out: then the trainer takes the fastest attention that is there.",
            )
        if asked == VARLEN and not torch.cuda.is_available():
            raise TrainingFailure("bad_trainer", f"attn_implementation is {VARLEN}, which needs a graphics card, and this machine has none. Leave it out.")
        cards = torch.cuda.device_count() if torch.cuda.is_available() else None
        if cards is not None and self.processes > cards:
            raise TrainingFailure("bad_trainer", f"processes is {self.processes}, and the trainer sees {cards} graphics card(s). Each process needs one.")


@dataclass(frozen=True)
class Execution:
    """What was chosen for a base model."""

    attn_implementation: str
    padding_free: bool

    @property
    def any_length(self) -> bool:
        """Whether attention over many rows costs no more than over each of them alone, so that a micro-batch may be as large as memory allows."""
        return self.padding_free and (self.attn_implementation in FLASH or self.attn_implementation == VARLEN)


def bf16() -> bool:
    """Whether the device computes in bfloat16."""
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)


def liger_kernel() -> bool:
    """Whether Liger's kernels are installed, for a device that can run them."""
    return torch.cuda.is_available() and importlib.util.find_spec("liger_kernel") is not None


def choose_execution(network: PreTrainedModel, wanted: Wanted) -> Execution:
    """Sets the attention of a network, and returns what was chosen. Raises TrainingFailure `bad_trainer`."""
    wanted.require_available()
    name = wanted.attn_implementation or _fastest(network)
    if name is not None:
        try:
            network.set_attn_implementation(name)
        except (ValueError, ImportError) as error:
            raise TrainingFailure("bad_trainer", f"{type(network).__name__} cannot have attn_implementation {name}: {error}") from error
    used = network.config._attn_implementation
    varlen = used in FLASH or used == VARLEN
    return Execution(used, varlen if wanted.padding_free is None else wanted.padding_free)


def _fastest(network: PreTrainedModel) -> str | None:
    """The fastest attention for rows without padding that this device and this network have; None for the network's own."""
    if not bf16():
        return None
    if network._supports_flash_attn:
        for name, available in FLASH.items():
            if available():
                return name
    return VARLEN if _varlen_works(network) else None


def _varlen_works(network: PreTrainedModel) -> bool:
    """Tries it on two short rows of the network's own shape, forward and backward, against plain attention over each of them."""
    config = network.config.get_text_config()
    if not network._supports_attention_backend or getattr(config, "attn_logit_softcapping", None) or getattr(config, "attention_dropout", 0):
        return False
    heads = config.num_attention_heads
    kv_heads = getattr(config, "num_key_value_heads", None) or heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    try:
        generator = torch.Generator("cuda").manual_seed(0)
        query, key, value = (
            torch.randn(1, number, 24, size, device="cuda", dtype=torch.bfloat16, generator=generator).requires_grad_()
            for number in (heads, kv_heads, kv_heads)
        )
        borders = torch.tensor([0, 7, 24], dtype=torch.int32, device="cuda")
        tried, _ = varlen_attention(network, query, key, value, None, cu_seq_lens_q=borders, max_length_q=17)
        tried.sum().backward()
        rows = [
            scaled_dot_product_attention(*(each[:, :, row] for each in (query, key, value)), is_causal=True, enable_gqa=heads != kv_heads)
            for row in (slice(0, 7), slice(7, 24))
        ]
        return torch.allclose(tried.transpose(1, 2), torch.cat(rows, dim=2), atol=0.02, rtol=0.02)
    except Exception as error:
        logging.warning("PyTorch's attention over rows without padding does not work here, so rows are padded: %s", error)
        return False


def varlen_attention(
    module, query, key, value, attention_mask, dropout=0.0, scaling=None, is_causal=None,
    cu_seq_lens_q=None, max_length_q=None, sliding_window=None, **_,
):  # fmt: skip
    """PyTorch's attention over rows that follow each other without padding, as an attention of transformers."""
    if cu_seq_lens_q is None or dropout:
        raise ValueError(f"{VARLEN} is for rows without padding and without dropout of attention")
    query, key, value = (each.transpose(1, 2).squeeze(0) for each in (query, key, value))  # (tokens, heads, size)
    window = (-1, 0) if sliding_window is None else (sliding_window - 1, 0)
    attended = varlen_attn(
        query, key, value, cu_seq_lens_q, cu_seq_lens_q, max_length_q, max_length_q,
        scale=scaling, window_size=window, enable_gqa=query.shape[1] != key.shape[1],
    )  # fmt: skip
    return attended.unsqueeze(0), None


AttentionInterface.register(VARLEN, varlen_attention)
