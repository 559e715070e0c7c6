"""Reading a LoRA adapter from disk, and refusing one that the base model would silently ignore."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

_WEIGHT = re.compile(r"^base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight$")
_UNSUPPORTED = ("use_dora", "modules_to_save", "lora_bias", "trainable_token_indices", "layer_replication", "alora_invocation_tokens")


class AdapterMissing(Exception):
    """There is no adapter at the path."""


class AdapterUnfit(Exception):
    """The adapter cannot be used with this base model; the message says why."""


@dataclass(frozen=True, eq=False)
class Adapter:
    """The low-rank pairs by module name: A [rank, in], B [out, rank] with the scaling already in B."""

    name: str
    path: str
    rank: int  # the largest of its modules
    pairs: dict[str, tuple[torch.Tensor, torch.Tensor]]


def linear_modules(network: nn.Module) -> dict[str, nn.Linear]:
    """What an adapter can adapt, by module name."""
    return {name: module for name, module in network.named_modules() if isinstance(module, nn.Linear)}


def read_adapter(name: str, path: str, linears: dict[str, nn.Linear]) -> Adapter:
    """Reads the PEFT adapter in the directory `path` and checks each weight against the base model's linear modules: a
    name or a shape that does not fit would give the base model's answers under the adapter's name (vllm#34186)."""
    directory = Path(path)
    weights_file, config_file = directory / "adapter_model.safetensors", directory / "adapter_config.json"
    if not weights_file.is_file() or not config_file.is_file():
        raise AdapterMissing(f"No adapter found for {path}: adapter_config.json and adapter_model.safetensors are expected there.")
    try:
        config, weights = json.loads(config_file.read_text()), load_file(weights_file)
    except Exception as error:  # safetensors and json have their own classes; each means that the file is damaged
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
