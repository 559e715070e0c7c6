"""LoRA adapters: reads them from disk, refuses those that the base model would silently ignore, and knows the loaded ones by name."""

import asyncio
import hashlib
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, Field, StrictInt, ValidationError, field_validator
from safetensors.torch import load
from torch import nn
from transformers import PreTrainedModel

from ..protocol.process import refused_by_system
from ..protocol.server_messages import ApiError, ModelCard, bad_request, not_found

_WEIGHT = re.compile(r"^base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight$")
_LARGEST_RANK = 512  # as the trainer's settings allow
_LARGEST_CONFIG = 2**20  # bytes
# A trained adapter's numbers are below 10. Products of larger ones leave the range of half precision, and an answer would be noise.
_LARGEST_NUMBER = 1e4


class AdapterConfig(BaseModel):
    """What this server reads of adapter_config.json. What it cannot do has one value only: what PEFT writes where it is not used."""

    peft_type: Literal["LORA"]
    r: Annotated[StrictInt, Field(ge=1, le=_LARGEST_RANK)]
    lora_alpha: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
    use_rslora: bool = False
    alpha_pattern: dict[str, Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]] | None = None
    rank_pattern: dict[str, Annotated[StrictInt, Field(ge=1, le=_LARGEST_RANK)]] | None = None
    bias: Literal["none"] = "none"
    use_dora: Literal[False] | None = None
    fan_in_fan_out: Literal[False] | None = None
    lora_bias: Literal[False] | None = None
    use_qalora: Literal[False] | None = None
    modules_to_save: Literal[None] | Annotated[list, Field(max_length=0)] = None
    trainable_token_indices: Literal[None] | Annotated[list, Field(max_length=0)] = None
    target_parameters: Literal[None] | Annotated[list, Field(max_length=0)] = None
    layer_replication: Literal[None] = None
    alora_invocation_tokens: Literal[None] = None

    @field_validator("alpha_pattern", "rank_pattern")
    @classmethod
    def _names_only(cls, patterns: dict | None) -> dict | None:
        # PEFT takes them for regular expressions, and one of a stranger can take for ever.
        for pattern in patterns or {}:
            if not re.fullmatch(r"[\w.]+", pattern):
                raise ValueError(f"{pattern[:60]!r} is a regular expression; only names of modules are supported")
        return patterns

    def rank(self, module: str) -> int:
        return next((rank for name, rank in (self.rank_pattern or {}).items() if _names(name, module)), self.r)

    def scaling(self, module: str) -> float:
        alpha = next((alpha for name, alpha in (self.alpha_pattern or {}).items() if _names(name, module)), self.lora_alpha)
        rank = self.rank(module)
        return alpha / (rank**0.5 if self.use_rslora else rank)


def _names(name: str, module: str) -> bool:
    return module == name or module.endswith(f".{name}")


class AdapterMissing(Exception):
    """There is no adapter at the path."""


class AdapterUnfit(Exception):
    """The adapter cannot be used with this base model; the message says why."""


@dataclass(frozen=True, eq=False)
class Adapter:
    """Low-rank pairs by module name: A is [rank, in]; B is [out, rank] and already multiplied by the scaling."""

    name: str
    path: str
    weights: str  # SHA-256 of its weight file
    rank: int  # the largest among its modules
    pairs: dict[str, tuple[torch.Tensor, torch.Tensor]]
    config: str = ""  # SHA-256 of its adapter_config.json, which says how strongly the weights count


def linear_modules(network: PreTrainedModel) -> dict[str, nn.Linear]:
    """The linear modules that an adapter may adapt, by name: all but the output layer, which sees the last token of a prompt only."""
    output = network.get_output_embeddings()
    return {name: module for name, module in network.named_modules() if isinstance(module, nn.Linear) and module is not output}


def read_adapter(name: str, path: str, linears: dict[str, nn.Linear]) -> Adapter:
    """Reads the PEFT adapter in the directory `path`. Raises AdapterMissing and AdapterUnfit.

    Each weight is checked against the base model's linear modules: if a name or a shape did not fit, the base model would answer under
    the adapter's name (vllm#34186).
    """
    try:
        directory = Path(path)
        weights_file, config_file = directory / "adapter_model.safetensors", directory / "adapter_config.json"
        if not weights_file.is_file() or not config_file.is_file():
            raise AdapterMissing(f"No adapter found for {path}: adapter_config.json and adapter_model.safetensors are expected there.")
        if config_file.stat().st_size > _LARGEST_CONFIG:
            raise AdapterUnfit(f"{config_file} is longer than {_LARGEST_CONFIG} bytes.")
        settings = config_file.read_bytes()
        config = AdapterConfig.model_validate(json.loads(settings))
        content = weights_file.read_bytes()
        pairs = _pairs(path, load(content), config, linears)
    except (AdapterMissing, AdapterUnfit):
        raise
    except ValidationError as invalid:
        fault = invalid.errors(include_url=False, include_input=False)[0]
        setting = ".".join(str(part) for part in fault["loc"])
        raise AdapterUnfit(f"{path} cannot be used: {setting or 'adapter_config.json'}: {fault['msg']}.") from invalid
    except Exception as error:  # safetensors and json raise classes of their own; each means that the file is damaged
        if refused_by_system(error):
            raise
        raise AdapterUnfit(f"{path} cannot be read: {error}") from error
    rank = max(a.shape[0] for a, _ in pairs.values())
    return Adapter(name, path, hashlib.sha256(content).hexdigest(), rank, pairs, hashlib.sha256(settings).hexdigest())


def _pairs(path: str, weights: dict[str, torch.Tensor], config: AdapterConfig, linears: dict[str, nn.Linear]):
    sides: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in weights.items():
        match = _WEIGHT.match(key)
        if match is None:
            raise AdapterUnfit(f"{path} holds {key!r}, which is not a LoRA weight of a linear module.")
        if tensor.ndim != 2 or not tensor.is_floating_point():
            raise AdapterUnfit(f"{path}: {key!r} is no matrix of floating-point numbers.")
        if not torch.isfinite(tensor).all():
            raise AdapterUnfit(f"{path}: {key!r} holds NaN or infinite values.")
        sides.setdefault(match["module"], {})[match["side"]] = tensor
    if not sides:
        raise AdapterUnfit(f"{path} holds no weights.")
    pairs = {}
    for module_name, side in sides.items():
        linear = linears.get(module_name)
        if linear is None:
            raise AdapterUnfit(f"{path} adapts {module_name!r}, which is no linear module that this server can adapt. Use vLLM for such adapters.")
        if set(side) != {"A", "B"}:
            raise AdapterUnfit(f"{path} has only one half of the weights of {module_name!r}.")
        a, b = side["A"], side["B"]
        if (a.shape[1], b.shape[0]) != (linear.in_features, linear.out_features) or a.shape[0] != b.shape[1]:
            raise AdapterUnfit(
                f"{path}: {module_name!r} is {linear.in_features} to {linear.out_features} wide in the base model, but "
                f"the adapter's weights are {tuple(a.shape)} and {tuple(b.shape)}."
            )
        if a.shape[0] != config.rank(module_name):
            raise AdapterUnfit(
                f"{path}: the weights of {module_name!r} have rank {a.shape[0]}, but adapter_config.json has {config.rank(module_name)}."
            )
        a, b = a.to(linear.weight), b.to(linear.weight) * config.scaling(module_name)
        if not max(float(a.abs().max()), float(b.abs().max())) < _LARGEST_NUMBER:
            raise AdapterUnfit(f"{path}: the weights of {module_name!r}, times their scale, are above {_LARGEST_NUMBER:g}.")
        if len(a) == 1:  # a product with a single column is added up in an order that depends on the number of rows
            a, b = nn.functional.pad(a, (0, 0, 0, 1)), nn.functional.pad(b, (0, 1))
        pairs[module_name] = (a, b)
    return pairs


class AdapterRegistry:
    """The adapters that requests can name. As in vLLM, a name cannot be loaded a second time while it is loaded.

    Used from the event loop only; a file is read in a thread, so that a large one delays no other request. A request keeps the adapter that it began with, so unloading does not disturb it.
    """

    def __init__(self, linears: dict[str, nn.Linear], base_name: str):
        self._linears, self.base_name = linears, base_name
        self._loaded: dict[str, Adapter] = {}
        self._loading = asyncio.Lock()
        self._created: dict[str, int] = {base_name: int(time.time())}

    async def load(self, name: str, path: str) -> str:
        """Loads the adapter and returns the text that vLLM answers. Raises ApiError."""
        async with self._loading:
            return await self._load(name, path)

    async def _load(self, name: str, path: str) -> str:
        if name == self.base_name or name in self._loaded:
            raise ApiError(400, "InvalidUserInput", f"The lora adapter '{name}' has already been loaded.", "lora_name")
        try:
            self._loaded[name] = await asyncio.to_thread(read_adapter, name, path, self._linears)
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
