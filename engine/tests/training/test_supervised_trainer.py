"""The trainer in this process: the loss with weights of rows, and what it has in common with plain TRL."""

import json

import pytest
import torch
from colloquy_engine.protocol.trainer_messages import TrainingFailure
from colloquy_engine.training import execution as execution_module
from colloquy_engine.training.execution import VARLEN, Execution, Wanted, choose_execution, varlen_works
from colloquy_engine.training.moved import moved_from, trained_weights
from colloquy_engine.training.training_rows import IGNORED, read_training_rows
from datasets import Dataset
from peft import LoraConfig
from tiny_llama import make_family
from training_jobs import base, losses_of, open_trainer, write_rows  # noqa: F401
from transformers import AutoModelForCausalLM
from trl import SFTConfig, SFTTrainer


def batch_of(trainer, count):
    rows = [trainer.train_dataset[index] for index in range(count)]
    return trainer.data_collator(rows)


def loss_of(trainer, batch):
    tokens = (batch["labels"][:, 1:] != IGNORED).sum()
    return trainer.compute_loss(trainer.model, dict(batch), num_items_in_batch=tokens).item()


def row_losses(trainer, batch):
    """By row: the sum of the losses of its tokens, and their number, computed from the logits."""
    logits = trainer.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, :-1]
    labels = batch["labels"][:, 1:]
    losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")
    return losses.sum(1).tolist(), (labels != IGNORED).sum(1).tolist()


@pytest.mark.parametrize("weight", [None, 1, 0.3, 7])
def test_equal_weights_give_the_loss_without_weights(open_trainer, weight):
    losses = []
    for name, weights in (("plain", [None] * 8), ("weighted", [weight] * 8)):
        trainer = open_trainer(weights, name)
        assert trainer.rows.weights is None
        losses.append(loss_of(trainer, batch_of(trainer, 8)))
    assert losses[0] == losses[1]


def test_a_weight_of_one_multiplies_by_one(open_trainer):
    trainer = open_trainer([None] * 8)
    batch = batch_of(trainer, 8)
    assert loss_of(trainer, batch | {"weight": torch.ones(8, 1)}) == loss_of(trainer, batch)


def test_each_token_counts_as_much_as_its_row(open_trainer):
    weights = [4.0, 0.5, 0.5, 0.5, 0.5, 4.0, 1.0, 1.0]
    trainer = open_trainer(weights)
    mean = sum(weights) / len(weights)
    assert trainer.rows.weights == [weight / mean for weight in weights]
    batch = batch_of(trainer, 8)
    sums, counts = row_losses(trainer, batch)
    expected = sum(weight / mean * loss for weight, loss in zip(weights, sums, strict=True)) / sum(counts)
    assert loss_of(trainer, batch) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("accumulation", [1, 2])
def test_weighted_rows_are_trained_and_make_another_model(open_trainer, accumulation):
    made = []
    for name, weights in (("plain", [None] * 24), ("weighted", [6.0] * 4 + [0.1] * 20)):
        trainer = open_trainer(weights, name, gradient_accumulation_steps=accumulation)
        assert trainer.run()
        made.append(trained_weights(trainer.model))
    assert any((made[0][name] != made[1][name]).any() for name in made[0])


def test_the_rows_with_more_weight_are_learnt_better(open_trainer):
    left = {}
    for name, weights in (("first", [10.0] * 12 + [0.01] * 12), ("last", [0.01] * 12 + [10.0] * 12)):
        trainer = open_trainer(weights, name, num_train_epochs=20)
        assert trainer.run()
        sums, _ = row_losses(trainer, batch_of(trainer, 24))
        left[name] = sum(sums[:12]), sum(sums[12:])
    assert left["first"][0] < left["last"][0]
    assert left["last"][1] < left["first"][1]


@pytest.mark.parametrize("weight", [0, -1, True, "2", float("nan"), float("inf"), [1]])
def test_a_weight_that_is_no_number_above_0_is_bad_data(tmp_path, base, weight):
    path = write_rows(tmp_path / "rows.jsonl", [1, weight])
    with pytest.raises(TrainingFailure, match=r"rows\.jsonl:2: .*weight must be a number above 0") as failure:
        read_training_rows(str(path), base.tokenizer, base.end_tokens, 1024)
    assert failure.value.kind == "bad_data"


PADDED, PADDING_FREE = Execution("sdpa", False), Execution("sdpa", True)


def steps_of(trainer):
    return [event for event in trainer.events if event.event == "step"]


def test_equal_settings_give_the_steps_the_losses_and_the_weights_of_plain_trl(open_trainer, base, tmp_path):
    """TRL's own SFTTrainer prepares the same rows, without packing: 21 rows in steps of 8, the last of which has 5.

    Padded rows give its numbers to the last bit; rows without padding give them within the rounding of float32: 2e-6 of a loss, and 1e-5 of a
    weight where a step moves it by up to 1e-3.
    """
    settings = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2, "num_train_epochs": 3, "warmup_ratio": 0, "weight_decay": 0.01}
    made = {}
    for name, execution in (("padded", PADDED), ("padding-free", PADDING_FREE)):
        trainer = open_trainer([None] * 21, name, execution, **settings)
        assert trainer.run()
        steps = steps_of(trainer)
        made[name] = [step.loss for step in steps], [step.learning_rate for step in steps], trained_weights(trainer.model)
    [adapter] = trainer.model.peft_config.values()
    rows = [json.loads(line) for line in (tmp_path / "padded.jsonl").read_text().splitlines()]
    plain = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(base.name_or_path, dtype=torch.float32),
        args=SFTConfig(
            output_dir=str(tmp_path / "trl"), learning_rate=1e-3, num_train_epochs=3, per_device_train_batch_size=4, gradient_accumulation_steps=2,
            lr_scheduler_type="cosine", weight_decay=0.01, gradient_checkpointing=False, seed=3, data_seed=3, logging_steps=1, report_to="none",
            save_strategy="no", use_cpu=True, bf16=False, disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=base.tokenizer,
        peft_config=LoraConfig(r=adapter.r, lora_alpha=adapter.lora_alpha, lora_dropout=0, target_modules="all-linear", task_type="CAUSAL_LM"),
    )  # fmt: skip
    plain.train()
    losses = [entry["loss"] for entry in plain.state.log_history if "loss" in entry]
    rates = [entry["learning_rate"] for entry in plain.state.log_history if "loss" in entry]
    weights = trained_weights(plain.model)
    assert len(losses) == 9
    assert made["padded"][:2] == (losses, rates)
    assert all(torch.equal(weight, weights[name]) for name, weight in made["padded"][2].items())
    assert made["padding-free"][0] == pytest.approx(losses, rel=2e-6)
    assert made["padding-free"][1] == rates
    assert max((weight - weights[name]).abs().max().item() for name, weight in made["padding-free"][2].items()) < 1e-5


def test_weighted_rows_without_padding_give_the_losses_of_padded_ones(open_trainer):
    weights = [4.0, 0.5, 0.5, 1.0, 7.0] * 4
    losses = []
    for name, execution in (("padded", PADDED), ("padding-free", PADDING_FREE)):
        trainer = open_trainer(weights, name, execution)
        assert trainer.run()
        losses.append(losses_of(trainer))
    assert losses[1] == pytest.approx(losses[0], rel=2e-6)


def row_by_row(query, key, value, borders, _, longest, __, scale, window_size, enable_gqa):
    """PyTorch has this attention for graphics cards alone: here, plain attention over each row stands in for its kernel."""
    assert window_size == (-1, 0) and longest == borders.diff().max()
    rows = [slice(*borders[place : place + 2].tolist()) for place in range(len(borders) - 1)]
    attended = [
        torch.nn.functional.scaled_dot_product_attention(
            *(each[row].transpose(0, 1)[None] for each in (query, key, value)), is_causal=True, scale=scale, enable_gqa=enable_gqa
        )
        for row in rows
    ]
    return torch.cat(attended, dim=2)[0].transpose(0, 1)


def test_attention_for_rows_without_padding_gets_the_borders_of_the_rows(open_trainer, monkeypatch):
    monkeypatch.setattr(execution_module, "varlen_attn", row_by_row)
    losses, moved = [], []
    for name, execution in (("padded", PADDED), ("varlen", Execution(VARLEN, True))):
        trainer = open_trainer([None] * 12, name, execution)
        trainer.model.set_attn_implementation(execution.attn_implementation)
        start = trained_weights(trainer.model)
        try:
            assert trainer.run()
            moved.append(moved_from(start, trainer.model, trainer.rows, 0, seed=3).kl_per_token)
            assert trainer.model.config._attn_implementation == execution.attn_implementation
        finally:
            trainer.model.set_attn_implementation("sdpa")
        losses.append(losses_of(trainer))
    assert losses[1] == pytest.approx(losses[0], rel=2e-6)
    assert moved[1] == pytest.approx(moved[0], rel=1e-3)
    # Such attention costs no more for many rows than for few, so the first micro-batch is a whole step.
    assert trainer.micro_batch.rows == 8
    assert open_trainer([None] * 12, "large", Execution(VARLEN, True), gradient_accumulation_steps=3).micro_batch.rows == 24


def test_attention_for_rows_without_padding_is_taken_only_where_it_gives_what_the_networks_own_gives(base, monkeypatch, tmp_path):
    def across_rows(query, key, value, borders, *more, **settings):
        return row_by_row(query, key, value, borders[[0, -1]], None, len(query), None, **settings)

    capped = AutoModelForCausalLM.from_pretrained(make_family(tmp_path / "gemma2", "gemma2", head_dim=8, attn_logit_softcapping=0.1))
    assert not varlen_works(base.network)  # there is no graphics card
    monkeypatch.setattr(execution_module, "varlen_attn", row_by_row)
    assert varlen_works(base.network)
    assert not varlen_works(capped)
    monkeypatch.setattr(execution_module, "varlen_attn", across_rows)
    assert not varlen_works(base.network)
    assert base.network.config._attn_implementation == "sdpa"


@pytest.mark.parametrize("name", ["flash_attention_2", "flash_attention_3", "sdpa_varlen"])
def test_attention_that_this_machine_does_not_have_is_refused_where_it_is_asked_for(base, name):
    with pytest.raises(TrainingFailure, match=f"attn_implementation is {name}.*[Ll]eave") as failure:
        choose_execution(base.network, Wanted(attn_implementation=name))
    assert failure.value.kind == "bad_trainer"


def test_a_cpu_pads_its_rows_and_takes_the_networks_own_attention_unless_it_is_asked(base):
    assert choose_execution(base.network, Wanted()) == PADDED
    assert choose_execution(base.network, Wanted(padding_free=True)) == PADDING_FREE
    try:
        assert choose_execution(base.network, Wanted(attn_implementation="eager")) == Execution("eager", False)
    finally:
        choose_execution(base.network, Wanted(attn_implementation="sdpa"))
