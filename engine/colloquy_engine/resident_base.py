"""The base model kept in memory between jobs, so that 2N fine-tunes load it once."""

import os
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import cached_file

from .file_hashes import weights_sha256
from .training_failure import TrainingFailure


@dataclass
class LoadedBase:
    """A base model ready to be trained on."""

    name_or_path: str
    sha256: str  # of its weight files
    network: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    end_tokens: frozenset[int]


class ResidentBase:
    """Holds at most one base. `load` gives it out; `forget` drops it when a job may have left it damaged."""

    def __init__(self) -> None:
        self._held: LoadedBase | None = None

    def load(self, name_or_path: str) -> LoadedBase:
        """The base of this name, from memory if its files are still the same. Raises TrainingFailure `missing_model`."""
        try:
            directory = _directory(name_or_path)
            sha256 = weights_sha256(directory)
            if self._held is None or (self._held.name_or_path, self._held.sha256) != (name_or_path, sha256):
                self._held = None  # the old one's memory is needed for the new one
                self._held = _load(name_or_path, directory, sha256)
        except (OSError, ValueError) as error:
            raise TrainingFailure("missing_model", f"The base model {name_or_path} cannot be loaded: {error}") from error
        return self._held

    def forget(self) -> None:
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
    ends = network.generation_config.eos_token_id
    ends = {ends} if isinstance(ends, int) else set(ends or ())
    return LoadedBase(name_or_path, sha256, network, tokenizer, frozenset(ends | ({tokenizer.eos_token_id} - {None})))
