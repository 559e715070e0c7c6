"""The network that a job trains: the resident base with a LoRA adapter, or the whole base."""

import json
from pathlib import Path

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model
from torch import nn
from transformers import set_seed

from .resident_base import LoadedBase
from .training_failure import TrainingFailure
from .training_job import Settings, TrainingJob


def network_to_train(base: LoadedBase, job: TrainingJob) -> nn.Module:
    """The base with a fresh adapter (drawn from the job's seed) or with `init_adapter`'s weights; all of the base when
    `use_peft` is false. Raises TrainingFailure."""
    set_seed(job.seed)
    if not job.settings.use_peft:
        return base.network.requires_grad_(True)
    if job.init_adapter is not None:
        return _continued(base, job.init_adapter, job.settings)
    try:
        return get_peft_model(base.network, _lora_config(base, job.settings))
    except ValueError as error:  # PEFT's answer to target modules that the base does not have
        raise TrainingFailure("bad_settings", f"settings.lora_target_modules: {error}") from error


def _lora_config(base: LoadedBase, settings: Settings) -> LoraConfig:
    return LoraConfig(
        base_model_name_or_path=base.name_or_path,
        task_type="CAUSAL_LM",
        r=settings.lora_r,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=settings.lora_target_modules,
    )


def _continued(base: LoadedBase, init_adapter: str, settings: Settings) -> PeftModel:
    try:
        config = PeftConfig.from_pretrained(init_adapter)
        # The shape is the adapter's own; a job that says otherwise would not get what it asks for.
        for name, wanted in (("r", settings.lora_r), ("lora_alpha", settings.lora_alpha)):
            if getattr(config, name) != wanted:
                raise TrainingFailure(
                    "bad_settings", f"settings.lora_{name.removeprefix('lora_')} is {wanted}, but {init_adapter} was trained with {getattr(config, name)}."
                )
        config.lora_dropout, config.inference_mode = settings.lora_dropout, False
        return PeftModel.from_pretrained(base.network, init_adapter, config=config, is_trainable=True)
    except (OSError, ValueError, RuntimeError, json.JSONDecodeError) as error:
        raise TrainingFailure("missing_model", f"init_adapter {init_adapter} cannot be loaded: {error}") from error


def release(base: LoadedBase, network: nn.Module) -> None:
    """Takes the adapter off again and undoes what TRL changed, so that the next job finds the base as it was loaded."""
    if isinstance(network, PeftModel):
        network.unload()
    for changed in ("forward", "peft_config", "_hf_peft_config_loaded"):
        base.network.__dict__.pop(changed, None)
    base.network.gradient_checkpointing_disable()
    base.network.disable_input_require_grads() if hasattr(base.network, "_require_grads_hook") else None
    base.network.zero_grad(set_to_none=True)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def save_network(network: nn.Module, base: LoadedBase, directory: Path) -> None:
    """Writes the adapter (or the whole model with its tokenizer) so that the same weights give the same bytes."""
    network.save_pretrained(directory)
    if not isinstance(network, PeftModel):
        base.tokenizer.save_pretrained(directory)
        return
    (directory / "README.md").unlink(missing_ok=True)  # PEFT's model card says nothing about this model
    config_file = directory / "adapter_config.json"
    config = json.loads(config_file.read_text())
    config["base_model_name_or_path"] = base.name_or_path
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()  # PEFT keeps a set, whose order changes from process to process
    config_file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
