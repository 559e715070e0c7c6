"""An adapter of an experiment's rank and modules that nothing was trained for: a server is asked to load it before there is a real one."""

import json
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import AutoConfig
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from ..protocol.server_messages import MadeUpAdapter
from .outputs import MANIFEST, files_of


def write_made_up_adapter(name_or_path: str, targets: str | list[str], wanted: MadeUpAdapter) -> None:
    """Writes it in PEFT's format. Its weights are drawn so that it changes every answer a little, whatever the model's size."""
    lora = LoraConfig(base_model_name_or_path=name_or_path, r=wanted.lora_r, lora_alpha=wanted.lora_alpha, target_modules=targets, task_type="CAUSAL_LM")
    with torch.device("meta"):
        adapted = get_peft_model(AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(name_or_path)), lora)
    shapes = {name: tensor.shape for name, tensor in get_peft_model_state_dict(adapted, save_embedding_layers=False).items()}
    generator = torch.Generator().manual_seed(0)
    tensors = {
        # Each of the two matrices keeps the size of what goes through it; the second makes it a fifth.
        name: torch.randn(shape, generator=generator) * (0.2 if ".lora_B." in name else 1.0) / shape[-1] ** 0.5
        for name, shape in shapes.items()
    }
    folder = Path(wanted.folder)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    adapted.peft_config["default"].save_pretrained(folder)
    # Written last, as a real one's: engine/vllm_resolver gives a server no adapter without it.
    files = {name: facts.model_dump() for name, facts in files_of(folder).items()}
    (folder / MANIFEST).write_text(json.dumps({"files": files}))
