"""How a fine-tune is carried out on this machine: number format, attention, padding. It changes the speed and the rounding, never what is learnt."""

import importlib.util
import logging
from dataclasses import dataclass

import torch
from torch.nn.attention.varlen import varlen_attn
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
    threads: int | None = None  # of the arithmetic on a CPU. None: one for a small model, and all cores but one for others

    def require_available(self) -> None:
        """Raises TrainingFailure `bad_trainer` for what this machine does not have."""
        asked = self.attn_implementation
        if asked in FLASH and not FLASH[asked]():
            raise TrainingFailure(
                "bad_trainer",
                f"attn_implementation is {asked}, and the trainer's Python has no such FlashAttention that can run on this machine. "
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
            raise TrainingFailure("bad_trainer", f"{type(network).__name__} cannot use attn_implementation {name}: {error}") from error
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
    return VARLEN if network.device.type == "cuda" and varlen_works(network) else None


def varlen_works(network: PreTrainedModel) -> bool:
    """Compares it, on two short rows, forward and backward, with the network's own attention over each row alone. This also finds
    features that only the network's own attention has: sinks, soft-capping, a state of its own."""
    own, device = network.config._attn_implementation, network.device
    tokens = torch.arange(24, device=device)[None] % network.config.get_text_config().vocab_size
    borders = torch.tensor([0, 7, 24], dtype=torch.int32, device=device)
    places = torch.cat([torch.arange(7), torch.arange(17)])[None].to(device)
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            alone = torch.cat([network(input_ids=row, use_cache=False).logits for row in (tokens[:, :7], tokens[:, 7:])], dim=1).float()
        network.set_attn_implementation(VARLEN)
        inputs = network.get_input_embeddings()(tokens).detach().requires_grad_()
        lengths = {"cu_seq_lens_q": borders, "cu_seq_lens_k": borders, "max_length_q": 17, "max_length_k": 17}
        tried = network(inputs_embeds=inputs, position_ids=places, use_cache=False, **lengths).logits.float()
        [gradient] = torch.autograd.grad(tried.sum(), inputs)
        return bool((tried - alone).norm() < 0.03 * alone.norm() and gradient.isfinite().all())
    except Exception as error:
        logging.warning("PyTorch's attention over rows without padding does not work here, so rows are padded: %s", error)
        return False
    finally:
        network.set_attn_implementation(own)
        network.train(training)


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
