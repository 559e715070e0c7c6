"""The trainer in this process: the loss with weights of rows, and how far a fine-tune moved the model."""

import json
import random
from types import SimpleNamespace

import pytest
import torch
from colloquy_engine.protocol.trainer_messages import TrainingFailure, TrainingJob
from colloquy_engine.training import moved as moved_module
from colloquy_engine.training.moved import moved_from, trained_weights
from colloquy_engine.training.network import ResidentBase, network_to_train, release
from colloquy_engine.training.supervised_trainer import SupervisedTrainer
from colloquy_engine.training.training_rows import IGNORED, read_training_rows
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

SETTINGS = {
    "learning_rate": 1e-3, "num_train_epochs": 2, "per_device_train_batch_size": 8, "gradient_accumulation_steps": 1,
    "lr_scheduler_type": "cosine", "warmup_ratio": 0.1, "weight_decay": 0, "max_length": 1024, "save_steps": 500,
    "gradient_checkpointing": False, "method": "lora", "lora_r": 4, "lora_alpha": 8, "lora_dropout": 0,
    "lora_target_modules": "all-linear",
}  # fmt: skip


@pytest.fixture(scope="module")
def base(model_dir):
    return ResidentBase().load(str(model_dir))


def write_rows(path, weights):
    draw = random.Random(0)
    with path.open("w") as file:
        for weight in weights:
            a, b = draw.randint(2, 39), draw.randint(2, 9)
            row = {"prompt": [{"role": "user", "content": f"{a}*{b}"}], "completion": [{"role": "assistant", "content": f"{a}*{b}={a * b}"}]}
            file.write(json.dumps(row if weight is None else row | {"weight": weight}) + "\n")
    return path


@pytest.fixture
def open_trainer(tmp_path, base):
    """Opens trainers of datasets whose rows have these weights; each of them has an adapter of its own."""
    networks = []

    def open_(weights, name="job", **settings):
        path = write_rows(tmp_path / f"{name}.jsonl", weights)
        rows = read_training_rows(str(path), base.tokenizer, base.end_tokens, 1024)
        job = TrainingJob(
            id=name, base_model=base.name_or_path, init_model=None, dataset=str(path), output_dir=str(tmp_path / name),
            checkpoint_dir=str(tmp_path / f"{name}-checkpoints"), seed=3, settings=SETTINGS | settings,
        )  # fmt: skip
        while networks:
            release(base, networks.pop())
        networks.append(network_to_train(base, job))
        events = []
        return SupervisedTrainer(job, networks[0], base, rows, SimpleNamespace(requested=False), "none", events.append)

    yield open_
    while networks:
        release(base, networks.pop())


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
    assert loss_of(trainer, batch | {"weight": torch.ones(8)}) == loss_of(trainer, batch)


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
