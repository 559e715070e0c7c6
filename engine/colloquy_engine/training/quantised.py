"""A base model in 4 bits, on which an adapter is trained (QLoRA: Dettmers et al., 2023). bitsandbytes is an optional package."""

import torch
from transformers import BitsAndBytesConfig

from ..protocol.trainer_messages import TrainingFailure


def require_bitsandbytes() -> None:
    """Raises TrainingFailure `bad_settings` when the package cannot be used here."""
    try:
        import bitsandbytes  # noqa: F401
    except (ImportError, OSError, RuntimeError) as error:
        raise TrainingFailure(
            "bad_settings", f"method: qlora needs the Python package bitsandbytes ({error}). Install it with: npx colloquy setup --qlora. Or take method: lora."
        ) from error


def load_options(dtype: torch.dtype) -> dict:
    """For `from_pretrained`: the linear modules of the layers become NF4 with doubly quantised constants, the rest has `dtype`."""
    require_bitsandbytes()
    config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype)
    return {"quantization_config": config, "device_map": {"": torch.cuda.current_device() if torch.cuda.is_available() else "cpu"}}
