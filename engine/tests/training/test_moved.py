"""How far a fine-tune moved the model."""

import pytest
import torch
from colloquy_engine.training import moved as moved_module
from colloquy_engine.training.moved import moved_from, trained_weights
from colloquy_engine.training.training_rows import IGNORED, read_training_rows
from peft import LoraConfig, get_peft_model
from training_jobs import base, open_trainer, write_rows  # noqa: F401
from transformers import AutoModelForCausalLM


def move(network, by):
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.requires_grad:
                weight += by * torch.randn_like(weight)


def test_a_model_that_did_not_change_has_not_moved(open_trainer):
    trainer = open_trainer([None] * 40)
    start = trained_weights(trainer.model)
    moved = moved_from(start, trainer.model, trainer.rows, 0, seed=3)
    assert (moved.kl_per_token, moved.rows) == (0, 32)


def test_the_movement_is_the_divergence_from_the_base_and_leaves_the_weights_as_they_are(open_trainer, monkeypatch):
    trainer = open_trainer([None] * 12)
    network, rows = trainer.model, trainer.rows
    start = trained_weights(network)
    move(network, 0.05)
    ended = trained_weights(network)
    moved = moved_from(start, network, rows, 0, seed=3)
    # By hand, row by row: the base is the network without its adapter.
    divergence, tokens = 0.0, 0
    for ids, labels in zip(rows.input_ids, rows.labels, strict=True):
        places = [place - 1 for place, label in enumerate(labels) if label != IGNORED]
        with torch.no_grad():
            now = network(input_ids=torch.tensor([ids])).logits[0, places].double().log_softmax(-1)
            with network.disable_adapter():
                before = network(input_ids=torch.tensor([ids])).logits[0, places].double().log_softmax(-1)
        divergence += (now.exp() * (now - before)).sum().item()
        tokens += len(places)
    assert moved.tokens == tokens and moved.rows == 12
    assert moved.kl_per_token == pytest.approx(divergence / tokens, rel=1e-4)
    assert moved.kl_per_token > 0
    assert all(torch.equal(ended[name], weight) for name, weight in trained_weights(network).items())
    # In small parts, as for long rows and large vocabularies, it is the same.
    monkeypatch.setattr(moved_module, "TOKENS_AT_ONCE", 1)
    monkeypatch.setattr(moved_module, "PLACES_AT_ONCE", 3)
    assert moved_from(start, network, rows, 0, seed=3).kl_per_token == pytest.approx(moved.kl_per_token, rel=1e-4)


def test_the_movement_does_not_drown_in_the_rounding_of_bfloat16(model_dir, tmp_path, base):
    rows = read_training_rows(str(write_rows(tmp_path / "rows.jsonl", [None] * 12)), base.tokenizer, base.end_tokens, 1024)
    measured = []
    for dtype in (torch.float32, torch.bfloat16):
        torch.manual_seed(0)
        network = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.bfloat16).to(dtype)
        network = get_peft_model(network, LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear"))
        start = trained_weights(network)
        move(network, 1e-3)
        measured.append(moved_from(start, network, rows, 0, seed=3).kl_per_token)
    assert 0 < measured[0] < 1e-4
    assert measured[1] == pytest.approx(measured[0], rel=0.02)


def test_a_network_that_cannot_compute_in_float32_is_not_measured(open_trainer):
    trainer = open_trainer([None] * 8)

    def fails(*_, **__):
        raise RuntimeError("expected m1 and m2 to have the same dtype")

    start = trained_weights(trainer.model)
    trainer.model.forward = fails
    assert moved_from(start, trainer.model, trainer.rows, 0, seed=3) is None
    del trainer.model.forward


def test_a_hundredth_of_the_learning_rate_moves_a_model_less(open_trainer):
    moved = []
    for rate in (1e-8, 1e-5, 1e-3):
        trainer = open_trainer([None] * 24, f"rate-{rate}", learning_rate=rate)
        start = trained_weights(trainer.model)
        assert trainer.run()
        assert trainer.peak_learning_rate() == pytest.approx(rate)
        moved.append(moved_from(start, trainer.model, trainer.rows, 0, seed=3).kl_per_token)
    assert moved[0] < moved[1] < moved[2]
    assert moved[0] < 1e-4 < moved[2]
