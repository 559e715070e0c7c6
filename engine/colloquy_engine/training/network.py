"""The network that a job trains: the base model, which stays in memory between jobs, with a LoRA adapter or as a whole."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase, set_seed
from transformers.utils import cached_file

from ..generation.chat_tokens import end_tokens
from ..protocol.process import refused_by_system
from ..protocol.trainer_messages import Settings, TrainingFailure, TrainingJob
from .check import require_targets
from .outputs import weights_sha256


@dataclass
class LoadedBase:
    """A base model that is ready to be trained."""

    name_or_path: str
    sha256: str  # of its weight files
    network: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    end_tokens: frozenset[int]


class ResidentBase:
    """Keeps at most one base model in memory, so that the 2N fine-tunes of an iteration load it once."""

    def __init__(self) -> None:
        self._held: LoadedBase | None = None

    def load(self, name_or_path: str) -> LoadedBase:
        """The base model of this name, from memory if its files have not changed. Raises TrainingFailure `missing_model`."""
        try:
            directory = _directory(name_or_path)
            sha256 = weights_sha256(directory)
            if self._held is None or (self._held.name_or_path, self._held.sha256) != (name_or_path, sha256):
                self._held = None  # the new base needs the memory of the old one
                self._held = _load(name_or_path, directory, sha256)
        except (OSError, ValueError) as error:
            if refused_by_system(error):
                raise
            raise TrainingFailure("missing_model", f"The base model {name_or_path} cannot be loaded: {error}") from error
        return self._held

    def forget(self) -> None:
        """Drops the base model, when a job may have changed it."""
        self._held = None


def _directory(name_or_path: str) -> Path:
    if os.path.isdir(name_or_path):
        return Path(name_or_path)
    if os.path.isabs(name_or_path) or name_or_path.startswith("."):
        raise FileNotFoundError(f"there is no directory {name_or_path}")
    return Path(cached_file(name_or_path, "config.json")).parent


def _load(name_or_path: str, directory: Path, sha256: str) -> LoadedBase:
    on_gpu = torch.cuda.is_available()
    source = name_or_path if not os.path.isdir(name_or_path) else str(directory)
    offline = os.path.isdir(name_or_path)
    tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=offline)
    if tokenizer.chat_template is None:
        raise ValueError("its tokenizer has no chat template")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    network = AutoModelForCausalLM.from_pretrained(
        source, dtype=torch.bfloat16 if on_gpu else torch.float32, local_files_only=offline
    )
    if on_gpu:
        network = network.cuda()
    return LoadedBase(name_or_path, sha256, network, tokenizer, end_tokens(network.generation_config, tokenizer))


def network_to_train(base: LoadedBase, job: TrainingJob) -> nn.Module:
    """The base with a new adapter (drawn from the job's seed) or with the weights of `init_adapter`; the base itself, all of it to be
    trained, when `use_peft` is false. Raises TrainingFailure."""
    set_seed(job.seed)
    if not job.settings.use_peft:
        return base.network.requires_grad_(True)
    if job.init_adapter is not None:
        return _continued(base, job.init_adapter, job.settings)
    require_targets(base.network, job.settings.lora_target_modules)
    try:
        return get_peft_model(base.network, _lora_config(base, job.settings))
    except ValueError as error:  # PEFT raises it for target modules that the base does not have
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
        # The adapter already has its shape, so a job that asks for another shape would not get it.
        for name, wanted in (("r", settings.lora_r), ("lora_alpha", settings.lora_alpha)):
            if getattr(config, name) != wanted:
                raise TrainingFailure(
                    "bad_settings", f"settings.lora_{name.removeprefix('lora_')} is {wanted}, but {init_adapter} was trained with {getattr(config, name)}."
                )
        config.lora_dropout, config.inference_mode = settings.lora_dropout, False
        return PeftModel.from_pretrained(base.network, init_adapter, config=config, is_trainable=True)
    except (OSError, ValueError, RuntimeError, json.JSONDecodeError) as error:
        if refused_by_system(error):
            raise
        raise TrainingFailure("missing_model", f"init_adapter {init_adapter} cannot be loaded: {error}") from error


def release(base: LoadedBase, network: nn.Module) -> None:
    """Removes the adapter and undoes what TRL changed, so that the next job finds the base as it was loaded."""
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
    """Writes the adapter, or the whole model with its tokenizer. The same weights give the same bytes."""
    network.save_pretrained(directory)
    if not isinstance(network, PeftModel):
        base.tokenizer.save_pretrained(directory)
        return
    (directory / "README.md").unlink(missing_ok=True)  # PEFT's empty model card
    config_file = directory / "adapter_config.json"
    config = json.loads(config_file.read_text())
    config["base_model_name_or_path"] = base.name_or_path
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()  # PEFT keeps a set, whose order changes from process to process
    config_file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
