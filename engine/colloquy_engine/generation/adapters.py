"""LoRA adapters: reads them from disk, refuses those that the base model would silently ignore, and knows the loaded ones by name."""

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from ..protocol.server_messages import ApiError, ModelCard, bad_request, not_found

_WEIGHT = re.compile(r"^base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight$")
_UNSUPPORTED = ("use_dora", "modules_to_save", "lora_bias", "trainable_token_indices", "layer_replication", "alora_invocation_tokens")


class AdapterMissing(Exception):
    """There is no adapter at the path."""


class AdapterUnfit(Exception):
    """The adapter cannot be used with this base model; the message says why."""


@dataclass(frozen=True, eq=False)
class Adapter:
    """Low-rank pairs by module name: A is [rank, in]; B is [out, rank] and already multiplied by the scaling."""

    name: str
    path: str
    rank: int  # the largest among its modules
    pairs: dict[str, tuple[torch.Tensor, torch.Tensor]]


def linear_modules(network: nn.Module) -> dict[str, nn.Linear]:
    """The modules that an adapter can adapt, by name."""
    return {name: module for name, module in network.named_modules() if isinstance(module, nn.Linear)}


def read_adapter(name: str, path: str, linears: dict[str, nn.Linear]) -> Adapter:
    """Reads the PEFT adapter in the directory `path`. Raises AdapterMissing and AdapterUnfit.

    Each weight is checked against the base model's linear modules: if a name or a shape did not fit, the base model would answer under
    the adapter's name (vllm#34186).
    """
    directory = Path(path)
    weights_file, config_file = directory / "adapter_model.safetensors", directory / "adapter_config.json"
    if not weights_file.is_file() or not config_file.is_file():
        raise AdapterMissing(f"No adapter found for {path}: adapter_config.json and adapter_model.safetensors are expected there.")
    try:
        config, weights = json.loads(config_file.read_text()), load_file(weights_file)
    except OSError:  # both files are there, so the system refuses to read them
        raise
    except Exception as error:  # safetensors and json raise classes of their own; each means that the file is damaged
        raise AdapterUnfit(f"{path} cannot be read: {error}") from error
    if config.get("peft_type") != "LORA":
        raise AdapterUnfit(f"{path} is a {config.get('peft_type')} adapter; only LORA is served.")
    for setting in _UNSUPPORTED:
        if config.get(setting):
            raise AdapterUnfit(f"{path} uses {setting}, which this server does not support.")
    pairs = _pairs(path, weights, config, linears)
    return Adapter(name, path, max(a.shape[0] for a, _ in pairs.values()), pairs)


def _pairs(path: str, weights: dict[str, torch.Tensor], config: dict, linears: dict[str, nn.Linear]):
    sides: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in weights.items():
        match = _WEIGHT.match(key)
        if match is None:
            raise AdapterUnfit(f"{path} holds {key!r}, which is not a LoRA weight of a linear module.")
        if not torch.isfinite(tensor).all():
            raise AdapterUnfit(f"{path}: {key!r} holds NaN or infinite values.")
        sides.setdefault(match["module"], {})[match["side"]] = tensor
    if not sides:
        raise AdapterUnfit(f"{path} holds no weights.")
    pairs = {}
    for module_name, side in sides.items():
        linear = linears.get(module_name)
        if linear is None:
            raise AdapterUnfit(f"{path} adapts {module_name!r}, but the base model has no linear module of that name.")
        if set(side) != {"A", "B"}:
            raise AdapterUnfit(f"{path} has only one half of the weights of {module_name!r}.")
        a, b = side["A"], side["B"]
        if (a.shape[1], b.shape[0]) != (linear.in_features, linear.out_features) or a.shape[0] != b.shape[1]:
            raise AdapterUnfit(
                f"{path}: {module_name!r} is {linear.in_features} to {linear.out_features} wide in the base model, but "
                f"the adapter's weights are {tuple(a.shape)} and {tuple(b.shape)}."
            )
        pairs[module_name] = (a.to(linear.weight), b.to(linear.weight) * _scaling(config, module_name, a.shape[0]))
    return pairs


def _scaling(config: dict, module_name: str, rank: int) -> float:
    alpha = config["lora_alpha"]
    for pattern, value in (config.get("alpha_pattern") or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", module_name):
            alpha = value
    return alpha / (rank**0.5 if config.get("use_rslora") else rank)


class AdapterRegistry:
    """The adapters that requests can name. As in vLLM, a name cannot be loaded a second time while it is loaded.

    Used from the HTTP thread only. A request keeps the adapter that it began with, so unloading does not disturb it.
    """

    def __init__(self, network: nn.Module, base_name: str):
        self._linears, self.base_name = linear_modules(network), base_name
        self._loaded: dict[str, Adapter] = {}
        self._created: dict[str, int] = {base_name: int(time.time())}

    def load(self, name: str, path: str) -> str:
        """Loads the adapter and returns the text that vLLM answers. Raises ApiError."""
        if name == self.base_name or name in self._loaded:
            raise ApiError(400, "InvalidUserInput", f"The lora adapter '{name}' has already been loaded.", "lora_name")
        try:
            self._loaded[name] = read_adapter(name, path, self._linears)
        except AdapterMissing as missing:
            raise not_found(f"Loading lora {name} failed: {missing}", "lora_path") from missing
        except AdapterUnfit as unfit:
            raise bad_request(f"Loading lora {name} failed: {unfit}", "lora_path") from unfit
        self._created[name] = int(time.time())
        return f"Success: LoRA adapter '{name}' added successfully."

    def unload(self, name: str) -> str:
        """Unloads the adapter and returns the text that vLLM answers. Raises ApiError 404 for an unknown name."""
        if self._loaded.pop(name, None) is None:
            raise not_found(f"The lora adapter '{name}' cannot be found.", "lora_name")
        del self._created[name]
        return f"Success: LoRA adapter '{name}' removed successfully."

    def resolve(self, model: str) -> Adapter | None:
        """The adapter of this name; None for the base model. Raises ApiError 404 for an unknown name."""
        if model == self.base_name:
            return None
        if model not in self._loaded:
            raise not_found(f"The model `{model}` does not exist.", "model")
        return self._loaded[model]

    def cards(self, root: str, context_length: int) -> list[ModelCard]:
        """The entries of GET /v1/models, the base model first."""
        base = self._card(self.base_name, root, None, context_length)
        return [base, *(self._card(a.name, a.path, self.base_name) for a in self._loaded.values())]

    def _card(self, name: str, root: str, parent: str | None, context_length: int | None = None) -> ModelCard:
        return ModelCard(id=name, created=self._created[name], root=root, parent=parent, max_model_len=context_length)
