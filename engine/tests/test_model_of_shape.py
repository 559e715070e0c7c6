"""The models of larger shapes that a benchmark makes: they answer as the embedded model does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import model_of_shape  # noqa: E402


@pytest.mark.parametrize("tied", [True, False])
def test_a_larger_model_gives_the_logits_of_the_embedded_one_and_no_token_that_the_tokenizer_lacks(tmp_path, monkeypatch, tied):
    monkeypatch.setitem(model_of_shape.SHAPES["small"], "tie_word_embeddings", tied)
    model_of_shape.make("small", tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    embedded, larger = (AutoModelForCausalLM.from_pretrained(folder) for folder in (model_of_shape.EMBEDDED, tmp_path))
    assert larger.num_parameters() > 8 * embedded.num_parameters()
    # Two others' answers, so that positions far from each other are read.
    shown = ">4*5=20;3+20=23;23-6=17;\\boxed{17}\n" * 2
    chat = [{"role": "user", "content": "3+4*5-6"}, {"role": "assistant", "content": "4*5=20;3+20=24"}, {"role": "user", "content": shown}]
    ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)["input_ids"]
    with torch.no_grad():
        wanted, given = (model(ids).logits[0].log_softmax(-1) for model in (embedded, larger))
    tokens = embedded.config.vocab_size
    assert torch.allclose(given[:, :tokens], wanted, atol=1e-3)
    assert given[:, tokens:].max() < -50
