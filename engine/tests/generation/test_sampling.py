"""Choosing a token."""

import numpy as np
import torch

from colloquy_engine.generation import sampling
from colloquy_engine.generation.sampling import choice_key, choose_tokens, uniforms


def draw(logits, count=4000, temperature=1.0, top_p=1.0):
    keys = np.array([choice_key(seed, 0) for seed in range(count)], dtype=np.uint64)
    u = uniforms(keys, np.zeros(count, dtype=np.int64))
    tokens = choose_tokens(logits.expand(count, -1), np.full(count, temperature), np.full(count, top_p), u)
    return np.bincount(tokens, minlength=logits.shape[-1]) / count


def test_tokens_come_with_the_probabilities_of_the_softmax():
    logits = torch.tensor([[0.3, 2.0, -1.0, 1.0]])
    assert np.abs(draw(logits) - torch.softmax(logits[0], -1).numpy()).max() < 0.03


def test_a_nucleus_holds_the_fewest_tokens_that_reach_its_mass():
    shares = draw(torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]])), top_p=0.7)
    assert shares[2] == shares[3] == 0
    assert abs(shares[0] - 0.5 / 0.8) < 0.03


def test_temperature_zero_takes_the_most_probable_token():
    assert draw(torch.tensor([[0.1, 0.2, 0.15]]), temperature=0.0)[1] == 1


def test_a_row_is_drawn_alike_with_and_without_the_shortcut_for_large_vocabularies(monkeypatch):
    torch.manual_seed(0)
    logits = torch.randn(64, 5000, dtype=torch.float64) * 3
    temperature, top_p = np.linspace(0.5, 3, 64), np.tile([1.0, 0.9], 32)
    u = uniforms(np.arange(64, dtype=np.uint64), np.arange(64))
    short = choose_tokens(logits, temperature, top_p, u)
    monkeypatch.setattr(sampling, "PREFIX", 10_000)
    assert (choose_tokens(logits, temperature, top_p, u) == short).all()


def test_uniform_numbers_are_fixed_for_ever():
    keys = np.array([choice_key(1, 0), choice_key(1, 1)], dtype=np.uint64)
    assert uniforms(keys, np.array([0, 3])).tolist() == EXPECTED
    many = uniforms(np.full(20_000, keys[0]), np.arange(20_000))
    assert abs(many.mean() - 0.5) < 0.01 and many.min() >= 0 and many.max() < 1


EXPECTED = [0.8898893492705725, 0.486480508300028]
