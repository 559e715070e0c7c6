"""The network that a job trains: the base model with a LoRA adapter, or all weights of a model. The base model stays in memory between jobs."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase, set_seed
from transformers.utils import cached_file

from ..generation.base_model import is_small
from ..generation.chat_tokens import end_tokens
from ..protocol.process import default_threads, keep_freed_memory, refused_by_system, resident_memory
from ..protocol.trainer_messages import Settings, TrainingFailure, TrainingJob
from .check import require_targets
from .execution import Execution, Wanted, bf16, choose_execution
from .micro_batches import MicroBatch
from .outputs import weights_sha256
from .quantised import load_options
from .ranks import Ranks


@dataclass
class LoadedBase:
    """A base model that is ready to be trained."""

    name_or_path: str
    sha256: str  # of its weight files
    form: str  # the form of its weights in memory
    network: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    end_tokens: frozenset[int]
    execution: Execution


class ResidentBase:
    """Keeps at most one base model in memory, so that the 2N fine-tunes of an iteration load it once."""

    def __init__(self, wanted: Wanted = Wanted(), ranks: Ranks | None = None) -> None:
        self._held: LoadedBase | None = None
        self._fits: dict[tuple, MicroBatch] = {}
        self._wanted, self._sharing = wanted, ranks is not None and ranks.size > 1

    def load_for(self, job: TrainingJob) -> LoadedBase:
        """The model whose weights a job's network has: the base model, or the whole model that its training starts from."""
        method = job.settings.method
        return self.load(job.init_model if method == "full" and job.init_model else job.base_model, method)

    def load(self, name_or_path: str, method: str = "lora") -> LoadedBase:
        """The model of this name, from memory if its files have not changed. Raises TrainingFailure `missing_model`.

        With the method `full` all of its weights are to be trained. They are in float32 then, also on a GPU: a step of 1e-5 is lost in
        bfloat16. With `qlora` those of its linear modules are in 4 bits.
        """
        try:
            directory = _directory(name_or_path)
            sha256 = weights_sha256(directory)
            dtype = torch.bfloat16 if bf16() and method != "full" else torch.float32
            form = f"{dtype}{' and 4 bits' if method == 'qlora' else ''}"
            held = self._held
            if held is None or (held.name_or_path, held.sha256, held.form) != (name_or_path, sha256, form):
                self._held = held = None  # the new one needs the memory of the old one
                options = load_options(dtype) if method == "qlora" else {}
                on_device = not (method == "full" and self._sharing)
                self._held = _load(name_or_path, directory, sha256, dtype, form, options, self._wanted, on_device=on_device)
        except (OSError, ValueError) as error:
            if refused_by_system(error):
                raise
            raise TrainingFailure("missing_model", f"The model {name_or_path} cannot be loaded: {error}") from error
        return self._held

    def fits(self, job: TrainingJob) -> MicroBatch | None:
        """The micro-batch that an earlier job of the same shape ended with, so that the 2N fine-tunes of an iteration look for it once."""
        return self._fits.get(_shape(job))

    def remember_fit(self, job: TrainingJob, micro_batch: MicroBatch) -> None:
        self._fits[_shape(job)] = micro_batch

    def forget(self) -> None:
        """Drops the base model, when a job may have changed it."""
        self._held = None


def _shape(job: TrainingJob) -> tuple:
    settings = job.settings
    rows = settings.per_device_train_batch_size, settings.gradient_accumulation_steps
    return job.base_model, settings.objective, settings.method, settings.gradient_checkpointing, settings.lora_r, rows


def weights_on_disk(base: LoadedBase) -> dict[str, torch.Tensor]:
    """The weights of a whole model as they are before its training."""
    return dict(AutoModelForCausalLM.from_pretrained(base.name_or_path, dtype=torch.float32).named_parameters())


def _directory(name_or_path: str) -> Path:
    if os.path.isdir(name_or_path):
        return Path(name_or_path)
    if os.path.isabs(name_or_path) or name_or_path.startswith("."):
        raise FileNotFoundError(f"there is no directory {name_or_path}")
    return Path(cached_file(name_or_path, "config.json")).parent


def base_sha256(name_or_path: str) -> str:
    """The hash of a base model's weight files. Raises TrainingFailure `missing_model`."""
    try:
        return weights_sha256(_directory(name_or_path))
    except (OSError, ValueError) as error:
        if refused_by_system(error):
            raise
        raise TrainingFailure("missing_model", f"The model {name_or_path} cannot be read: {error}") from error


def _load(
    name_or_path: str, directory: Path, sha256: str, dtype: torch.dtype, form: str, options: dict, wanted: Wanted, on_device: bool
) -> LoadedBase:
    """`on_device`: false for weights that are sharded over the ranks, which then never has all of them on one device."""
    source = name_or_path if not os.path.isdir(name_or_path) else str(directory)
    offline = os.path.isdir(name_or_path)
    tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=offline)
    if tokenizer.chat_template is None:
        raise ValueError("its tokenizer has no chat template")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    network = AutoModelForCausalLM.from_pretrained(source, dtype=dtype, local_files_only=offline, **options)
    if torch.cuda.is_available() and on_device and not options:
        network = network.cuda()
    elif not torch.cuda.is_available():
        torch.set_num_threads(wanted.threads or (1 if is_small(network) else default_threads()))
        if is_small(network):
            keep_freed_memory()
    execution = choose_execution(network, wanted)
    return LoadedBase(name_or_path, sha256, form, network, tokenizer, end_tokens(network.generation_config, tokenizer), execution)


def memory_of_one_more(base: LoadedBase, ranks: Ranks) -> int | None:
    """The bytes that one more trainer of this base takes: as much as this process has had. None where one trainer uses the device, or all cores."""
    alone = torch.cuda.is_available() or ranks.size > 1 or torch.get_num_threads() > 1 or not is_small(base.network)
    return None if alone else resident_memory()


def network_to_train(base: LoadedBase, job: TrainingJob) -> nn.Module:
    """With the methods `lora` and `qlora`, the base with a new adapter (drawn from the job's seed) or with the adapter `init_model`; with `full`, all
    of the model that `ResidentBase.load_for` gave. Raises TrainingFailure."""
    set_seed(job.seed)
    if job.settings.method == "full":
        return base.network.requires_grad_(True)
    if job.init_model is not None:
        return _continued(base, job.init_model, job.settings)
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


def _continued(base: LoadedBase, init_model: str, settings: Settings) -> PeftModel:
    try:
        config = PeftConfig.from_pretrained(init_model)
        # The adapter already has its shape, so a job that asks for another shape would not get it.
        for name, wanted in (("r", settings.lora_r), ("lora_alpha", settings.lora_alpha)):
            if getattr(config, name) != wanted:
                raise TrainingFailure(
                    "bad_settings", f"settings.lora_{name.removeprefix('lora_')} is {wanted}, but {init_model} was trained with {getattr(config, name)}."
                )
        config.lora_dropout, config.inference_mode = settings.lora_dropout, False
        return PeftModel.from_pretrained(base.network, init_model, config=config, is_trainable=True)
    except (OSError, ValueError, RuntimeError, json.JSONDecodeError) as error:
        if refused_by_system(error):
            raise
        raise TrainingFailure("missing_model", f"init_model {init_model} cannot be loaded: {error}") from error


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


def save_network(network: nn.Module, base: LoadedBase, directory: Path, weights: dict[str, torch.Tensor] | None = None) -> None:
    """Writes the adapter, or the whole model with its tokenizer. The same weights give the same bytes. `weights`: those of a sharded network."""
    network.save_pretrained(directory, state_dict=weights)
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
