"""The plugin that vLLM loads. vLLM asks it for each adapter that it does not have."""

import asyncio
import os
import weakref
from pathlib import Path

from vllm.logger import init_logger
from vllm.lora.request import LoRARequest
from vllm.lora.resolver import LoRAResolver, LoRAResolverRegistry

from .adapters import AdapterCache, AdapterRefused

# For this name a server with this plugin answers "was found but could not be loaded", and one without it "does not exist":
# src/engines/endpoint/adapters.ts.
MARKER = "colloquy-resolver"

# vLLM shows what loggers below its own name write.
logger = init_logger("vllm.colloquy_resolver")


class ResolvedLoRA(LoRARequest, weakref=True):
    """vLLM keeps it for as long as it may read the adapter's files: until the adapter is unloaded."""

    # As in vLLM, two requests are equal when their names are equal. Here the other request may be of vLLM's own class too.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, LoRARequest) and self.lora_name == other.lora_name

    __hash__ = LoRARequest.__hash__


class ColloquyResolver(LoRAResolver):
    def __init__(self, cache: AdapterCache) -> None:
        self._cache = cache

    async def resolve_lora(self, base_model_name: str, lora_name: str) -> LoRARequest | None:
        """vLLM answers 404 when this returns None."""
        if lora_name == MARKER:
            logger.info("A worker of Colloquy asks whether this plugin is here. The errors about %s that follow are the answer: it is.", MARKER)
            return LoRARequest(lora_name=lora_name, lora_int_id=1, lora_path="/there/is/no/such/adapter")
        try:
            adapter = await asyncio.to_thread(self._cache.get, lora_name)
        except AdapterRefused as refused:
            logger.error("The adapter %s is refused. %s", lora_name, refused)
            return None
        if adapter is None:
            return None
        # vLLM gives it a number of its own.
        resolved = ResolvedLoRA(lora_name=lora_name, lora_int_id=1, lora_path=str(adapter.path))
        weakref.finalize(resolved, adapter.release)
        return resolved


def register() -> None:
    """vLLM calls it in each of its processes. Raises ValueError when the size of the cache is not a number above 0."""
    store = os.environ.get("COLLOQUY_STORE")
    if not store:
        logger.warning("COLLOQUY_STORE is not set, so no adapters of Colloquy are found. It has to name the store's folder, as this machine sees it.")
        return
    if not Path(store, "models").is_dir():
        logger.warning("%s (COLLOQUY_STORE) has no folder `models` on this machine. Until it has one, no adapters of Colloquy are found.", store)
    folder = os.environ.get("COLLOQUY_ADAPTER_CACHE") or Path.home() / ".cache" / "colloquy" / "adapters"
    cache = AdapterCache(Path(store), Path(folder), _bytes(os.environ.get("COLLOQUY_ADAPTER_CACHE_GIB") or "20"))
    LoRAResolverRegistry.register_resolver("colloquy", ColloquyResolver(cache))


def _bytes(gibibytes: str) -> int:
    try:
        number = float(gibibytes)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ValueError(f"COLLOQUY_ADAPTER_CACHE_GIB is {gibibytes!r}: it has to be a number of GiB above 0.")
    return int(number * 2**30)
