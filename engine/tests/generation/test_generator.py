"""The running batch: an answer never depends on what else is in it."""

import random
import threading

import pytest
import torch

from colloquy_engine.generation.adapters import linear_modules, read_adapter
from colloquy_engine.generation.base_model import load_base_model
from colloquy_engine.generation.generation_request import Choice, GenerationRequest
from colloquy_engine.generation.generator import Generator, QueueFull
from colloquy_engine.generation.sampling import choice_key
from conftest import ENGINE
from tiny_llama import make_adapter


@pytest.fixture(scope="module")
def model(model_dir):
    return load_base_model(str(model_dir))


@pytest.fixture(scope="module")
def adapters(model, adapter_dirs):
    linears = linear_modules(model.network)
    return [None, *(read_adapter(path.name, str(path), linears) for path in adapter_dirs)]


def request(prompt, adapter=None, seed=0, n=1, temperature=1.0, top_p=0.9, max_tokens=12, stop=(), **more):
    choices = [Choice(choice_key(seed, index)) for index in range(n)]
    settings = {"top_logprobs": None, "prompt_logprobs": None} | more
    return GenerationRequest(prompt, adapter, temperature, top_p, max_tokens, list(stop), choices=choices, **settings)


def answer_all(model, requests, max_batch_size=64, max_queue=10_000):
    """Runs the requests through a generator of their own. Returns the answers of each request as token lists."""
    return answers_of(Generator(model, max_batch_size, max_queue), requests)


def answers_of(generator, requests):
    """Runs the generator until it has answered these requests. Returns the answers of each as token lists."""
    left, errors = [len(requests)], []

    def done(error):
        errors.extend([error] if error else [])
        left[0] -= 1
        if left[0] == 0:
            generator.stop()

    for item in requests:
        item.done = done
        generator.submit(item)
    generator.run()
    assert not errors
    return [[choice.tokens for choice in item.choices] for item in requests]


def random_requests(adapters, count, seed):
    draw = random.Random(seed)
    for _ in range(count):
        yield dict(
            prompt=[draw.randrange(5, 100) for _ in range(draw.choice([3, 9, 30, 33, 70, 140]))],
            adapter=draw.choice(adapters),
            seed=draw.randrange(10**9),
            n=draw.choice([1, 1, 3]),
            temperature=draw.choice([0.0, 0.7, 1.0]),
            top_p=draw.choice([0.5, 0.9, 1.0]),
            max_tokens=draw.randrange(1, 40),
        )


def test_an_answer_is_the_same_alone_and_in_any_batch(model, adapters):
    wanted = list(random_requests(adapters, 150, seed=1))
    alone = [answer_all(model, [request(**one)])[0] for one in wanted[:40]]
    batches = [answer_all(model, [request(**one) for one in wanted], size) for size in (3, 17, 128)]
    shuffled = random.Random(2).sample(range(len(wanted)), len(wanted))
    reordered = answer_all(model, [request(**wanted[place]) for place in shuffled], 32)
    assert batches[0] == batches[1] == batches[2]
    assert batches[0][:40] == alone
    assert [reordered[shuffled.index(place)] for place in range(len(wanted))] == batches[0]


@pytest.mark.parametrize("dtype", ["auto", "float64"])
def test_probabilities_do_not_depend_on_neighbours(model_dir, adapter_dirs, dtype):
    model = load_base_model(str(model_dir), dtype)
    adapters = [None, *(read_adapter(path.name, str(path), model.linears) for path in adapter_dirs)]
    wanted = list(random_requests(adapters, 60, seed=4))

    def scores(places):
        items = [request(**wanted[place], top_logprobs=2, prompt_logprobs=0 if place % 5 == 0 else None) for place in places]
        answer_all(model, items, 40)
        return {
            place: [score.logprob for score in [*item.prompt_scores[1:], *(each for choice in item.choices for each in choice.logprobs)]]
            for place, item in zip(places, items, strict=True)
        }

    together = scores(random.Random(5).sample(range(60), 60))
    for place in range(20):
        alone = scores([place])[place]
        # In float32 the bits are the same: that is why it can be used.
        assert alone == together[place] if model.fill_up else alone == pytest.approx(together[place], abs=1e-12)


def test_probabilities_do_not_depend_on_the_ranks_of_neighbours(tmp_path):
    tiny = ENGINE / "models" / "tiny-arithmetic"
    model = load_base_model(str(tiny))
    shapes = [(1, ["o_proj"]), *((rank, "all-linear") for rank in (2, 8, 8, 16)), (16, ["down_proj"]), (64, ["q_proj"])]
    paths = [make_adapter(tiny, tmp_path / str(place), place, rank, targets) for place, (rank, targets) in enumerate(shapes)]
    adapters = [None, *(read_adapter(path.name, str(path), model.linears) for path in paths)]
    wanted = [one | {"adapter": adapters[place % len(adapters)]} for place, one in enumerate(random_requests([None], 48, seed=7))]

    def scores(places):
        items = [request(**wanted[place], top_logprobs=0) for place in places]
        answer_all(model, items, 40)
        return [[score.logprob for choice in item.choices for score in choice.logprobs] for item in items]

    together = scores(range(len(wanted)))
    for place in range(24):
        [alone] = scores([place])
        assert alone == together[place] if model.fill_up else alone == pytest.approx(together[place], abs=1e-12)


def test_where_float32_depends_on_neighbours_a_small_model_runs_in_float64(model_dir, adapters, monkeypatch):
    wanted = list(random_requests([None], 20, seed=6))
    usual = answer_all(load_base_model(str(model_dir)), [request(**one) for one in wanted])
    # Passes that are not filled up have as many rows as there are answers, and so their sums depend on how many there are.
    monkeypatch.setattr("colloquy_engine.generation.key_value_store.filled_up", lambda rows: rows)
    model = load_base_model(str(model_dir))
    assert model.dtype == torch.float64 and not model.fill_up
    assert answer_all(model, [request(**one) for one in wanted]) == usual


def test_greedy_answers_are_those_of_transformers(model, adapters, model_dir):
    from transformers import AutoModelForCausalLM

    plain = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float64)
    draw = random.Random(3)
    prompts = [[draw.randrange(5, 100) for _ in range(length)] for length in (4, 20, 40, 90)]
    answers = answer_all(model, [request(prompt, temperature=0.0, max_tokens=20) for prompt in prompts])
    for prompt, answer in zip(prompts, answers, strict=True):
        expected = plain.generate(torch.tensor([prompt]), max_new_tokens=20, do_sample=False, pad_token_id=0)[0, len(prompt) :]
        assert answer == [expected.tolist()]


def test_the_same_seed_gives_the_same_answer_and_another_seed_another(model):
    answers = answer_all(model, [request([9, 10, 11], seed=seed, top_p=1.0) for seed in (1, 1, 2)])
    assert answers[0] == answers[1] != answers[2]


def test_the_n_answers_of_a_request_differ_and_fewer_are_a_prefix_of_more(model):
    three, one = answer_all(model, [request([9, 10, 11], seed=5, n=3, top_p=1.0), request([9, 10, 11], seed=5, top_p=1.0)])
    assert len({tuple(answer) for answer in three}) == 3
    assert three[0] == one[0]


def test_a_cancelled_request_leaves_the_batch_and_the_others_go_on(model):
    lost, kept = request([9] * 10, max_tokens=400, temperature=1.0, top_p=1.0, seed=3), request([9, 10], max_tokens=30)
    alone = answer_all(model, [request([9, 10], max_tokens=30)])
    generator = Generator(model, 8, 100)
    finished = threading.Event()
    lost.done = lambda error: pytest.fail("a cancelled request was answered")
    kept.done = lambda error: finished.set()
    lost.choices[0].tokens = _CancelAfter(lost, 5)
    generator.submit(lost)
    generator.submit(kept)
    thread = generator.start()
    assert finished.wait(60)
    generator.stop()
    thread.join(60)
    assert len(lost.choices[0].tokens) <= 6
    assert [[choice.tokens for choice in kept.choices]] == alone


class _CancelAfter(list):
    def __init__(self, owner, count):
        super().__init__()
        self._owner, self._count = owner, count

    def append(self, token):
        super().append(token)
        self._owner.cancelled = len(self) >= self._count


def test_a_full_queue_refuses_and_a_finished_one_does_not(model):
    generator = Generator(model, 2, 3)
    for _ in range(3):
        item = request([9])
        item.done = lambda error: None
        generator.submit(item)
    with pytest.raises(QueueFull):
        generator.submit(request([9]))


def test_a_failed_step_fails_its_requests_and_the_next_is_answered(model, monkeypatch):
    generator = Generator(model, 8, 100)
    real, outcomes, finished = generator._forward, [], threading.Event()
    monkeypatch.setattr(generator, "_forward", lambda *_: (_ for _ in ()).throw(RuntimeError("boom")))
    first, second = request([9, 10]), request([9, 10])

    def first_done(error):
        outcomes.append(error)
        generator._forward = real
        generator.submit(second)

    def second_done(error):
        outcomes.append(error)
        finished.set()

    first.done, second.done = first_done, second_done
    generator.submit(first)
    thread = generator.start()
    assert finished.wait(60)
    generator.stop()
    thread.join(60)
    assert "boom" in str(outcomes[0]) and outcomes[1] is None


def test_stop_strings_end_an_answer_and_are_not_part_of_it(model):
    [[tokens]] = answer_all(model, [request([9, 10, 11], seed=8, top_p=1.0, max_tokens=40)])
    text = model.tokenizer.decode(tokens, skip_special_tokens=True)
    stop = text[7:9]
    item = request([9, 10, 11], seed=8, top_p=1.0, max_tokens=40, stop=["never", stop])
    answer_all(model, [item])
    assert item.choices[0].text == text[: text.index(stop)]
    assert item.choices[0].finish_reason == "stop"


def test_prompt_logprobs_are_those_of_the_model(model):
    prompt = [9, 30, 44, 12, 60]
    item = request(prompt, prompt_logprobs=2, temperature=0.0, max_tokens=3, top_logprobs=2)
    answer_all(model, [item])
    from transformers import AutoModelForCausalLM

    plain = AutoModelForCausalLM.from_pretrained(model.name_or_path, dtype=torch.float64)
    expected = torch.log_softmax(plain(torch.tensor([prompt + item.choices[0].tokens])).logits[0].detach(), -1)
    assert item.prompt_scores[0] is None
    for place in range(1, len(prompt)):
        assert item.prompt_scores[place].logprob == pytest.approx(float(expected[place - 1, prompt[place]]), abs=1e-5)
        assert item.prompt_scores[place].top[0][0] == int(expected[place - 1].argmax())
    for place, score in enumerate(item.choices[0].logprobs):
        assert score.logprob == pytest.approx(float(expected[len(prompt) - 1 + place].max()), abs=1e-5)
        assert score.rank == 1


def test_a_long_prompt_is_read_in_slices_while_the_others_go_on(model_dir, adapter_dirs, monkeypatch):
    model = load_base_model(str(model_dir), "float64")  # in which slices and whole prompts give the same numbers
    adapters = [None, *(read_adapter(path.name, str(path), model.linears) for path in adapter_dirs)]
    prompts = [[5 + place * 7 % 90 for place in range(length)] for length in (300, 6, 250)]

    def answers():
        wanted = [
            request(prompts[0], adapters[1], n=2, seed=1, prompt_logprobs=1),
            request(prompts[1], seed=2, max_tokens=40),
            request(prompts[2], adapters[2], seed=3, max_tokens=40),
        ]
        return answer_all(model, wanted), [score and score.logprob for score in wanted[0].prompt_scores]

    whole, scores = answers()
    monkeypatch.setattr("colloquy_engine.generation.generator._PROMPT_TOKENS", 100)
    monkeypatch.setattr("colloquy_engine.generation.generator._SLICE_TOKENS", 64)
    passes = []
    real = Generator._forward
    monkeypatch.setattr(Generator, "_forward", lambda self, tokens, *rest: passes.append(len(tokens[0])) or real(self, tokens, *rest))
    sliced, sliced_scores = answers()
    assert sliced == whole and sliced_scores == pytest.approx(scores, abs=1e-9)
    # A step of the running answers follows each slice.
    assert max(passes) == 64 and passes[passes.index(64) + 1] == 1


def test_logits_that_are_no_numbers_fail_their_request_alone(model, adapters, monkeypatch):
    real = Generator._forward
    bad, good = request([9, 10], seed=1, n=2), request([9, 10], seed=2)
    alone = answer_all(model, [request([9, 10], seed=2)])[0]

    def spoilt(self, tokens, positions, keep):
        logits = real(self, tokens, positions, keep)
        for place, (row, _) in enumerate(self._store.rows if logits.shape[1] == 1 and len(tokens) > 1 else []):
            logits[place] = float("nan") if row is bad else logits[place]
        return logits

    monkeypatch.setattr(Generator, "_forward", spoilt)
    generator, outcomes, finished = Generator(model, 8, 100), {}, threading.Event()
    for name, item in (("bad", bad), ("good", good)):
        item.done = lambda error, name=name: (outcomes.update({name: error}), len(outcomes) == 2 and finished.set())
        generator.submit(item)
    thread = generator.start()
    assert finished.wait(60)
    generator.stop()
    thread.join(60)
    assert "not numbers" in str(outcomes["bad"]) and outcomes["good"] is None
    assert [choice.tokens for choice in good.choices] == alone
