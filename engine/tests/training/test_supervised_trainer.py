"""The trainer in this process: the loss with weights of rows, and how far a fine-tune moved the model."""

import json
import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from colloquy_engine.protocol.trainer_messages import TrainingFailure, TrainingJob
from colloquy_engine.training import execution as execution_module
from colloquy_engine.training import moved as moved_module
from colloquy_engine.training.execution import VARLEN, Execution, Wanted, choose_execution, varlen_works
from colloquy_engine.training.fine_tune import fine_tune
from colloquy_engine.training.micro_batches import MicroBatch, cut, learnt_tokens, remembered, share_of
from colloquy_engine.training.moved import moved_from, trained_weights
from colloquy_engine.training.network import ResidentBase, network_to_train, release
from colloquy_engine.training.ranks import Ranks
from colloquy_engine.training.supervised_trainer import SupervisedTrainer
from colloquy_engine.training.training_rows import IGNORED, read_training_rows
from peft import LoraConfig, get_peft_model
from datasets import Dataset
from tiny_llama import make_family
from transformers import AutoModelForCausalLM
from trl import SFTConfig, SFTTrainer

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

    def open_(weights, name="job", execution=base.execution, **settings):
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
        trainer = SupervisedTrainer(
            job, networks[0], replace(base, execution=execution), rows, SimpleNamespace(requested=False), "none", events.append, Ranks()
        )
        trainer.events = events
        return trainer

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


PADDED, PADDING_FREE = Execution("sdpa", False), Execution("sdpa", True)


def steps_of(trainer):
    return [event for event in trainer.events if event.event == "step"]


def losses_of(trainer):
    return [event.loss for event in steps_of(trainer)]


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


class Memory:
    """Simulates memory for a number of rows at once, with and without gradient checkpointing."""

    def __init__(self, trainer, rows, with_checkpointing=0):
        self.trainer, self.rows, self.with_checkpointing, self.tried = trainer, rows, with_checkpointing, []
        self.compute_loss, trainer.compute_loss = trainer.compute_loss, self

    def __call__(self, model, inputs, **more):
        loss = self.compute_loss(model, inputs, **more)
        rows = len(inputs["input_ids"])
        checkpointed = self.trainer.model.is_gradient_checkpointing
        self.tried.append((rows, checkpointed))
        if rows > (self.with_checkpointing if checkpointed else self.rows):
            loss.backward()  # a part of the gradient is there already
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return loss


@pytest.mark.parametrize(("rows", "with_checkpointing", "found"), [(3, 0, MicroBatch(2, False)), (1, 0, MicroBatch(1, False)), (0, 1, MicroBatch(1, True))])
def test_what_does_not_fit_is_halved_and_the_steps_stay_the_same(open_trainer, rows, with_checkpointing, found):
    settings = {"lora_dropout": 0, "gradient_accumulation_steps": 2}
    whole = open_trainer([None] * 24, "whole", **settings)
    assert whole.run()
    expected = trained_weights(whole.model)
    trainer = open_trainer([None] * 24, "halved", **settings)
    memory = Memory(trainer, rows, with_checkpointing)
    assert trainer.run()
    assert losses_of(trainer) == pytest.approx(losses_of(whole), rel=2e-6)
    assert max((weight - expected[name]).abs().max().item() for name, weight in trained_weights(trainer.model).items()) < 1e-5
    # It looks once, says so once, and remembers it in the record of the model and for the next attempt.
    changes = [event for event in trainer.events if event.event == "micro_batch"]
    assert [(change.step, change.rows, change.gradient_checkpointing) for change in changes] == [(0, found.rows, found.gradient_checkpointing)]
    assert sum(tried > found.rows for tried, _ in memory.tried) <= 3
    assert (trainer.carried_out().micro_batch, trainer.carried_out().gradient_checkpointing) == (found.rows, found.gradient_checkpointing)
    assert open_trainer([None] * 24, "halved", **settings).micro_batch == found


def test_a_row_for_which_memory_does_not_suffice_at_all_fails_and_the_message_says_what_helps(open_trainer):
    trainer = open_trainer([None] * 24, "too-large")
    memory = Memory(trainer, 0)
    with pytest.raises(TrainingFailure, match=r"A single row of \d+ tokens .* max_length below \d+.* lora .* processes .* smaller base model") as failure:
        trainer.run()
    assert failure.value.kind == "out_of_memory"
    assert memory.tried[-2:] == [(1, False), (1, True)]


def test_ranks_that_share_the_weights_begin_again_when_one_of_them_lacks_memory(open_trainer, monkeypatch):
    """The others wait for its part of a layer for ever, so none of them can go on; the next attempt begins with half of the rows."""
    job = open_trainer([None] * 24, "again").job

    def too_large(trainer):
        trainer.is_fsdp_enabled = True
        trainer.model.train()
        Memory(trainer, 4)
        rows = list(trainer.train_dataset)[:8]
        return trainer.training_step(trainer.model, rows, torch.tensor(8.0))

    monkeypatch.setattr(SupervisedTrainer, "run", too_large)
    events = []
    stop = SimpleNamespace(requested=False)
    assert fine_tune(job, ResidentBase(), stop, events.append, Ranks()) is False
    assert [(event.event, event.rows) for event in events] == [("micro_batch", 4)]
    assert open_trainer([None] * 24, "again").micro_batch == MicroBatch(4, False)


def test_only_spent_memory_is_answered_with_a_smaller_batch(open_trainer):
    trainer = open_trainer([None] * 8, "broken")

    def breaks(*_, **__):
        raise RuntimeError("expected m1 and m2 to have the same dtype")

    trainer.compute_loss = breaks
    with pytest.raises(RuntimeError, match="same dtype"):
        trainer.run()
    assert trainer.micro_batch == MicroBatch(8, False) and remembered(Path(trainer.job.checkpoint_dir)) is None


@pytest.mark.parametrize("ranks", [1, 2, 3, 7])
def test_the_rows_of_a_step_are_shared_among_ranks_with_about_as_many_tokens_for_each(ranks):
    draw = random.Random(0)
    examples = [{"input_ids": [place] * draw.randint(5, 60), "labels": [-100, 1, 2]} for place in range(24)]
    shares = [share_of(examples, rank, ranks) for rank in range(ranks)]
    assert sorted(row["input_ids"][0] for share in shares for row in share) == list(range(24))
    tokens = [sum(len(row["input_ids"]) for row in share) for share in shares]
    assert max(tokens) - min(tokens) <= 60
    assert ranks > 1 or shares[0] == examples
    assert sum(len(part) for share in shares for part in cut(share, 3)) == 24
    assert learnt_tokens(examples) == 48


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
