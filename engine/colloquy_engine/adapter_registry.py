"""The adapters that can be asked for by name. Runtime loading as in vLLM: a name is never loaded twice in place."""

import time

from torch import nn

from .adapter_file import Adapter, AdapterMissing, AdapterUnfit, linear_modules, read_adapter
from .api_error import ApiError, bad_request, not_found


class AdapterRegistry:
    """Used from the HTTP thread only. A request keeps the adapter it began with, so unloading disturbs nobody."""

    def __init__(self, network: nn.Module, base_name: str):
        self._linears, self.base_name = linear_modules(network), base_name
        self._loaded: dict[str, Adapter] = {}
        self._created: dict[str, int] = {base_name: int(time.time())}

    def load(self, name: str, path: str) -> str:
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
        if self._loaded.pop(name, None) is None:
            raise not_found(f"The lora adapter '{name}' cannot be found.", "lora_name")
        del self._created[name]
        return f"Success: LoRA adapter '{name}' removed successfully."

    def resolve(self, model: str) -> Adapter | None:
        """The adapter of this name, None for the base model; ApiError 404 for an unknown name."""
        if model == self.base_name:
            return None
        if model not in self._loaded:
            raise not_found(f"The model `{model}` does not exist.", "model")
        return self._loaded[model]

    def cards(self, root: str, context_length: int) -> list[dict]:
        """The entries of GET /v1/models, the base first."""
        base = self._card(self.base_name, root, None) | {"max_model_len": context_length}
        return [base, *(self._card(a.name, a.path, self.base_name) for a in self._loaded.values())]

    def _card(self, name: str, root: str, parent: str | None) -> dict:
        return {
            "id": name,
            "object": "model",
            "created": self._created[name],
            "owned_by": "colloquy",
            "root": root,
            "parent": parent,
        }
