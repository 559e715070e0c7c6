"""What has been read before is not read again, and changes no bit of an answer."""

import json
import random
import shutil
from pathlib import Path

import pytest
import torch
from test_generator import answer_all, answers_of, request
from tiny_llama import make_tiny_llama

from colloquy_engine.generation.adapters import read_adapter
from colloquy_engine.generation.base_model import load_base_model
from colloquy_engine.generation.exactness import random_adapter
from colloquy_engine.generation.generation_request import GenerationRequest
from colloquy_engine.generation.generator import Generator, NoNumbers
from colloquy_engine.generation.prompt_cache import ALIKE_TOKENS, Beginning, PromptCache


EMBEDDED = str(Path(__file__).parents[2] / "models" / "tiny-arithmetic")


@pytest.fixture(scope="module")
def model():
    return load_base_model(EMBEDDED)


@pytest.fixture(scope="module")
def adapters(model):
    return [None, *(random_adapter(model.linears, rank) for rank in (2, 4))]


@pytest.fixture
def read(monkeypatch):
    """How many tokens each pass over prompts has read."""
    passes = []
    real = Generator._read_prompts

    def noting(self, readings):
        passes.append(sum(each.new_tokens for each in readings))
        real(self, readings)

    monkeypatch.setattr(Generator, "_read_prompts", noting)
    return passes


def tokens(count, seed=0):
    draw = random.Random(seed)
    return [draw.randrange(5, 100) for _ in range(count)]


def in_turn(model, rounds):
    """Has one generator answer one round of requests after the other. Returns all logprobs of all answers."""
    generator = Generator(model, 64, 10_000)
    rest = [list(each) for each in rounds]
    errors = []

    def submit():
        if not rest:
            return generator.stop()
        left = rest.pop(0)
        waits = [len(left)]

        def done(error):
            errors.extend([error] if error else [])
            waits[0] -= 1
            if waits[0] == 0:
                submit()

        for item in left:
            item.done = done
        for item in left:
            generator.submit(item)

    submit()
    generator.run()
    assert not errors
    return [[score.logprob for choice in item.choices for score in choice.logprobs] for items in rounds for item in items]


def test_the_same_prompts_are_read_once_and_a_longer_one_from_where_it_goes_on(model, read):
    prompt = tokens(40)
    in_turn(model, [[request(prompt, seed=seed) for seed in range(3)], [request(prompt, seed=9)], [request(prompt + tokens(30, 1))]])
    # The last token is always read, and a beginning is known at multiples of 16.
    assert read == [40, 40 - 32, 70 - 32]


def test_an_answer_has_the_same_bits_whatever_was_read_before(model, adapters):
    draw = random.Random(7)
    questions = [tokens(length, length) for length in (20, 33, 64, 90, 150, ALIKE_TOKENS, 230)]

    def wanted():
        draw.seed(8)
        for _ in range(4):
            items = []
            for _ in range(25):
                question = draw.choice(questions)
                prompt = question[: draw.randrange(1, len(question) + 1)] + tokens(draw.choice([0, 0, 3, 40]), draw.randrange(3))
                items.append(request(prompt, draw.choice(adapters), draw.randrange(99), top_logprobs=0, max_tokens=6))
            yield items

    together = in_turn(model, list(wanted()))
    for place, item in enumerate(item for items in wanted() for item in items):
        [alone] = in_turn(model, [[item]])
        # Where float32 would not do, the model runs in float64.
        assert together[place] == alone if model.fill_up else together[place] == pytest.approx(alone, abs=1e-12)


def test_a_prompt_that_failed_does_not_fail_one_that_begins_as_it_does(model):
    unfit = 101

    def spoilt(_module, inputs, embedded):
        return embedded.masked_fill((inputs[0] == unfit)[..., None], float("nan"))

    failing, fine = request(tokens(36) + [unfit]), request(tokens(40))
    generator, errors = Generator(model, 8, 100), []

    def failed(error):
        errors.append(error)
        generator.submit(fine)

    def done(error):
        errors.append(error)
        generator.stop()

    failing.done, fine.done = failed, done
    hook = model.network.get_input_embeddings().register_forward_hook(spoilt)
    try:
        generator.submit(failing)
        generator.run()
    finally:
        hook.remove()
    assert isinstance(errors[0], NoNumbers) and errors[1:] == [None]


def test_where_a_known_beginning_changes_a_bit_none_is_kept(monkeypatch, read):
    real = Beginning.layer
    monkeypatch.setattr(Beginning, "layer", lambda self, layer: tuple(each * (1 + 1e-6) for each in real(self, layer)))
    model = load_base_model(EMBEDDED)
    if not model.fill_up:
        pytest.skip("here the model runs in float64, in which a changed bit changes no answer")
    assert not model.keeps_prompts
    in_turn(model, [[request(tokens(40))], [request(tokens(40))]])
    assert read == [40, 40]


def test_a_scored_prompt_is_read_whole(model, read):
    items = [request(tokens(40), prompt_logprobs=0) for _ in range(2)]
    in_turn(model, [[request(tokens(40))], items])
    assert read == [40, 80] and items[0].prompt_scores == items[1].prompt_scores


def test_a_long_prompt_has_the_beginning_of_one_of_its_length_only():
    layers = {0: (torch.zeros(1, 200, 2), torch.zeros(1, 200, 2))}
    exact, other = PromptCache(exact=True), PromptCache(exact=False)
    for cache in (exact, other):
        cache.keep(None, tokens(200), layers)
    for prompt, known in ((tokens(200)[:199] + [5], 192), (tokens(200) + [5], None), (tokens(200)[:190], None)):
        found = exact.find(None, prompt)
        assert (found and found.length) == known
    assert other.find(None, tokens(200) + [5]).length == 192


def test_an_adapter_has_beginnings_of_its_own(adapters):
    layers = {0: (torch.zeros(1, 40, 2), torch.zeros(1, 40, 2))}
    cache = PromptCache(exact=True)
    cache.keep(adapters[1], tokens(40), layers)
    assert cache.find(adapters[1], tokens(40)).length == 32
    assert cache.find(None, tokens(40)) is None and cache.find(adapters[2], tokens(40)) is None


def test_the_same_weights_with_another_strength_are_another_adapter(tmp_path, model_dir, adapter_dirs):
    model = load_base_model(str(model_dir))
    strong = shutil.copytree(adapter_dirs[0], tmp_path / "strong")
    config = json.loads((strong / "adapter_config.json").read_text())
    (strong / "adapter_config.json").write_text(json.dumps(config | {"lora_alpha": 4 * config["lora_alpha"]}))
    weak, strong = (read_adapter("one-name", str(path), model.linears) for path in (adapter_dirs[0], strong))

    def asked(adapter):
        return [request(tokens(40), adapter, top_logprobs=0)]

    assert in_turn(model, [asked(weak), asked(strong)])[1:] == in_turn(model, [asked(strong)])


def test_what_is_kept_of_a_prompt_keeps_no_memory_of_its_neighbours(tmp_path, monkeypatch):
    # With one head, the part of a pass that is one prompt lies in one piece, as if it had memory of its own.
    model = load_base_model(str(make_tiny_llama(tmp_path, key_heads=1)))
    kept = []
    monkeypatch.setattr(PromptCache, "keep", lambda self, adapter, prompt, layers: kept.extend(layers.values()))
    answer_all(model, [request(tokens(length, length)) for length in (40, 150)])
    assert len(kept) == 4
    assert all(tensor.untyped_storage().nbytes() == tensor.nbytes for pair in kept for tensor in pair)


def test_the_prompt_that_was_used_longest_ago_makes_room():
    def layers():
        return {0: (torch.zeros(1, 32, 4), torch.zeros(1, 32, 4))}  # 1 KB

    cache = PromptCache(exact=True, most_bytes=2048)
    first, second, third = (tokens(32, seed) for seed in range(3))
    cache.keep(None, first, layers())
    cache.keep(None, second, layers())
    assert cache.find(None, first).length == 16
    cache.keep(None, third, layers())
    assert cache.find(None, second) is None
    assert cache.find(None, first) is not None and cache.find(None, third) is not None


def test_a_cancelled_request_does_not_stop_those_with_the_same_prompt(model):
    kept = [request(tokens(40), seed=seed) for seed in (1, 2)]
    alone = answer_all(model, [request(tokens(40), seed=seed) for seed in (1, 2)])
    gone: GenerationRequest = request(tokens(40), seed=3)
    gone.cancelled = True
    generator = Generator(model, 8, 100)
    gone.done = lambda error: pytest.fail("a cancelled request was answered")
    generator.submit(gone)
    assert answers_of(generator, kept) == alone
