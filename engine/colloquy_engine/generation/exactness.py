"""Is the engine's forward pass the model's own? One probe when a model is loaded, with and without an adapter.

The engine replaces attention, cache and norms. A family whose attention does more than the engine's (soft-capping, sinks, position
biases) or that keeps another state (Mamba) would answer with other probabilities, and no error would show it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from transformers import PreTrainedModel

from .adapters import Adapter, linear_modules
from .key_value_store import SLOT_ATTENTION, KeyValueStore, store_forward
from .mixed_adapters import MixedAdapters
from .prompt_cache import PromptCache

# Of a logit. In half precision another rounding of the input alone changes more than that; then its effect counts, times the factor
# (measured on six families: the engine differs by at most 1.0 times that effect).
_TOLERANCE = 1e-3
_NOISE_FACTOR = 4

_PROMPT_LENGTHS = (5, 40, 9)  # the second does not fit into the first's pool; the third one has the adapter
STEPS = 3


class Inexact(Exception):
    """The engine's logits are not the model's own; the message names the place."""


@dataclass(frozen=True)
class Text:
    """Random tokens: a prompt, and the tokens of the steps after it."""

    prompt: list[int]
    steps: list[int]
    adapted: bool


@dataclass(frozen=True)
class OwnLogits:
    """What the model itself computes, before the engine has changed anything in it."""

    texts: list[Text]
    logits: list[torch.Tensor]  # of each text: the last place of the prompt and each step, [1 + steps, vocabulary]
    tolerance: float
    adapter: Adapter
    linears: dict[str, nn.Linear]  # the modules that an adapter can adapt


@torch.inference_mode()
def own_logits(network: PreTrainedModel, context_length: int) -> OwnLogits:
    """To be called before the engine changes the network. Its plainest attention counts, which knows all options of the family."""
    network.set_attn_implementation("eager")
    texts = _texts(network, context_length)
    linears = _adaptable(network, texts[0].prompt)
    adapter = random_adapter(linears, rank=2)
    logits = [_own(network, text, adapter) for text in texts]
    if not all(torch.isfinite(each.amax(dim=-1)).all() for each in logits):
        raise Inexact("its weights give logits that are not numbers (NaN or infinite)")
    tolerance = _TOLERANCE
    if network.dtype != torch.float64:
        noise = [_own_noise(network, text, adapter, own) for text, own in zip(texts, logits, strict=True)]
        tolerance = max(tolerance, _NOISE_FACTOR * max(noise))
    return OwnLogits(texts, logits, tolerance, adapter, linears)


@torch.inference_mode()
def require_exact(network: PreTrainedModel, own: OwnLogits) -> None:
    """To be called when the engine has changed the network. Raises Inexact, or whatever a family raises that cannot run so."""
    network.set_attn_implementation(SLOT_ATTENTION)
    adapters = MixedAdapters(network)
    try:
        _run_as_engine(network, own, adapters)
    finally:
        adapters.unwrap()


def _run_as_engine(network: PreTrainedModel, own: OwnLogits, adapters: MixedAdapters) -> None:
    of = [own.adapter if text.adapted else None for text in own.texts]
    for place, (rows, logits) in enumerate(engine_logits(network, adapters, own.texts, of)):
        _compare(own, place, rows, logits)


def engine_logits(
    network: PreTrainedModel,
    mixed: MixedAdapters,
    texts: list[Text],
    of: list[Adapter | None],
    fill_up: bool = False,
    cache: PromptCache | None = None,
) -> Iterator[tuple[list[int], torch.Tensor]]:
    """The engine's logits at the ends of the prompts, then in each step, with the place of each row's text. What the cache knows is not
    read again, and what has been read is put into it."""
    store: KeyValueStore[int] = KeyValueStore(network.dtype, network.device)
    known = [cache.find(adapter, text.prompt) if cache else None for text, adapter in zip(texts, of, strict=True)]
    positions = store.begin_prompts([len(text.prompt) for text in texts], [[place] for place in range(len(texts))], known)
    unread = [text.prompt[beginning.length if beginning else 0 :] for text, beginning in zip(texts, known, strict=True)]
    lengths = [len(each) for each in unread]
    mixed.route_tokens(of, lengths)
    ends = torch.tensor(lengths, device=network.device).cumsum(0) - 1
    tokens = [token for each in unread for token in each]
    yield list(range(len(texts))), store_forward(network, store, [tokens], positions, ends, fill_up)[0]
    if cache:
        for text, adapter, layers in zip(texts, of, store.prompts_read, strict=True):
            cache.keep(adapter, text.prompt, layers)
    for step in range(STEPS):
        rows = store.rows
        positions = store.begin_step()
        mixed.route_rows([of[row] for row in rows])
        yield rows, store_forward(network, store, [[texts[row].steps[step]] for row in rows], positions, 1, fill_up)[:, 0]
        store.end_step()


def _compare(own: OwnLogits, place: int, rows: list[int], logits: torch.Tensor) -> None:
    for row, engine in zip(rows, logits, strict=True):
        expected = own.logits[row][place]
        difference = float((engine.float() - expected.float()).abs().max())
        if not difference <= own.tolerance:  # NaN is no agreement either
            where = "of a prompt" if place == 0 else f"{place} tokens after a prompt"
            adapted = " with an adapter" if own.texts[row].adapted else ""
            raise Inexact(f"its logits {where}{adapted} differ by {difference:.2g} from the model's own")


def _texts(network: PreTrainedModel, context_length: int) -> list[Text]:
    draw = torch.Generator().manual_seed(0)
    vocabulary = network.get_input_embeddings().weight.shape[0]

    def tokens(count: int) -> list[int]:
        return torch.randint(0, vocabulary, (count,), generator=draw).tolist()

    room = max(1, context_length - STEPS)
    return [Text(tokens(min(length, room)), tokens(STEPS), adapted=place == 2) for place, length in enumerate(_PROMPT_LENGTHS)]


def _own(network: PreTrainedModel, text: Text, adapter: Adapter) -> torch.Tensor:
    with _with_adapter(network, adapter if text.adapted else None):
        tokens = torch.tensor([text.prompt + text.steps], device=network.device)
        return network(input_ids=tokens, use_cache=False).logits[0, len(text.prompt) - 1 :].float().clone()


@contextmanager
def _with_adapter(network: PreTrainedModel, adapter: Adapter | None) -> Iterator[None]:
    """Adds an adapter by its definition, B A x, to what the modules themselves give."""
    modules = dict(network.named_modules())
    hooks = [modules[name].register_forward_hook(_added(*pair)) for name, pair in (adapter.pairs if adapter else {}).items()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _added(a: torch.Tensor, b: torch.Tensor):
    return lambda _module, inputs, output: output + nn.functional.linear(nn.functional.linear(inputs[0], a), b)


def _own_noise(network: PreTrainedModel, text: Text, adapter: Adapter, exact: torch.Tensor) -> float:
    """How much the model's logits move when each number of its input is rounded in another way."""
    precision = torch.finfo(network.dtype).eps

    def rounded(_module, _inputs, embedded: torch.Tensor) -> torch.Tensor:
        signs = torch.randint(0, 2, embedded.shape, generator=torch.Generator().manual_seed(2)) * 2 - 1
        return embedded * (1 + precision * signs.to(embedded))

    hook = network.get_input_embeddings().register_forward_hook(rounded)
    try:
        return float((_own(network, text, adapter) - exact).abs().max())
    finally:
        hook.remove()


def _adaptable(network: PreTrainedModel, prompt: list[int]) -> dict[str, nn.Linear]:
    """The linear modules that get each token of a pass once and in order. The router or an expert of a mixture gets them otherwise, and a
    module that is never called has weights that are used in another way: an adapter there would be ignored, or meet other tokens."""
    calls: dict[str, list[tuple[int, ...]]] = {}
    linears = linear_modules(network)

    def noting(name: str):
        return lambda _module, inputs: calls.setdefault(name, []).append(tuple(inputs[0].shape))

    hooks = [module.register_forward_pre_hook(noting(name)) for name, module in linears.items()]
    try:
        network(input_ids=torch.tensor([prompt], device=network.device), use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: module for name, module in linears.items() if calls.get(name) == [(1, len(prompt), module.in_features)]}


def random_adapter(linears: dict[str, nn.Linear], rank: int) -> Adapter:
    """About a tenth as strong as the modules themselves: its effect is far above the tolerance."""
    draw = torch.Generator().manual_seed(rank)
    pairs = {}
    for name, module in linears.items():
        weight = module.weight
        a = torch.randn(rank, module.in_features, generator=draw) / module.in_features**0.5
        b = torch.randn(module.out_features, rank, generator=draw) * 0.1 * float(weight.float().std()) * module.in_features**0.5
        pairs[name] = (a.to(weight), b.to(weight))
    return Adapter("probe", "", f"probe of rank {rank}", rank, pairs)
