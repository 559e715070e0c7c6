"""DPO and KTO beside plain TRL on the same rows, and what is the same however a step is cut."""

import json
import random
from types import SimpleNamespace

import pytest
import torch
from colloquy_engine.protocol.trainer_messages import TrainingFailure, TrainingJob
from colloquy_engine.training.execution import Execution
from colloquy_engine.training.fine_tune import fine_tune
from colloquy_engine.training.moved import trained_weights
from colloquy_engine.training.network import ResidentBase
from colloquy_engine.training.objectives import OBJECTIVES, trainer_of
from colloquy_engine.training.ranks import Ranks
from colloquy_engine.training.training_rows import read_training_rows
from datasets import Dataset
from peft import LoraConfig, PeftModel
from training_jobs import SETTINGS as JOB_SETTINGS
from training_jobs import base, losses_of, open_trainer, write_rows  # noqa: F401
from transformers import AutoModelForCausalLM
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

PADDED, PADDING_FREE = Execution("sdpa", False), Execution("sdpa", True)
SETTINGS = {"beta": 0.3, "learning_rate": 1e-3, "num_train_epochs": 2, "warmup_ratio": 0, "weight_decay": 0.01}
PAIRS = [None] * 21  # in steps of 8 pairs, the last of which has 5


def logged(trainer, name):
    """By step, without those that do not have it: KTO has no margin in a step of one kind of answer."""
    return [entry[name] for entry in trainer.state.log_history if name in entry]


def plain_trl(objective, tmp_path, base, trainer, sft_weight=0, init=None):
    """TRL's own trainer, on the same rows, in one process."""
    rows = [json.loads(line) for line in (tmp_path / f"{trainer.job.id}.jsonl").read_text().splitlines()]
    network = AutoModelForCausalLM.from_pretrained(base.name_or_path, dtype=torch.float32)
    [adapter] = trainer.model.peft_config.values()
    lora = LoraConfig(r=adapter.r, lora_alpha=adapter.lora_alpha, lora_dropout=0, target_modules="all-linear", task_type="CAUSAL_LM")
    if init is not None:
        network, lora = PeftModel.from_pretrained(network, init, is_trainable=True), None
    common = dict(
        output_dir=str(tmp_path / "trl"), learning_rate=1e-3, num_train_epochs=2, per_device_train_batch_size=8, lr_scheduler_type="cosine",
        weight_decay=0.01, gradient_checkpointing=False, seed=3, data_seed=3, logging_steps=1, report_to="none", save_strategy="no", use_cpu=True,
        bf16=False, disable_tqdm=True, max_length=None, beta=0.3,
    )  # fmt: skip
    if objective == "dpo":
        args = DPOConfig(**common, loss_type=["sigmoid", "sft"], loss_weights=[1.0, sft_weight])
        plain = DPOTrainer(network, args=args, train_dataset=Dataset.from_list(rows), processing_class=base.tokenizer, peft_config=lora)
    else:
        rows = random.Random(3).sample(rows, len(rows))
        args = KTOConfig(**common, train_sampling_strategy="sequential")
        plain = KTOTrainer(network, args=args, train_dataset=Dataset.from_list(rows), processing_class=base.tokenizer, peft_config=lora)
    plain.train()
    return plain


@pytest.mark.parametrize(("objective", "sft_weight"), [("dpo", 0), ("dpo", 1), ("kto", 0)])
def test_equal_settings_give_the_losses_the_reward_margins_and_the_weights_of_plain_trl(open_trainer, base, tmp_path, objective, sft_weight):
    """Within 1e-5 of a loss, 1e-4 of a margin (a difference of sums over tokens), and 1e-5 of a weight where a step moves it by up to 1e-3."""
    names = ("loss", "rewards/chosen", "rewards/rejected", "rewards/margins", *(["kl"] if objective == "kto" else []))
    made = {}
    for name, execution in (("padded", PADDED), ("padding-free", PADDING_FREE)):
        trainer = open_trainer(PAIRS, name, execution, objective=objective, sft_weight=sft_weight, **SETTINGS)
        assert trainer.run()
        made[name] = {each: logged(trainer, each) for each in names}, trained_weights(trainer.model)
    plain = plain_trl(objective, tmp_path, base, trainer, sft_weight)
    weights = trained_weights(plain.model)
    assert max(made["padded"][0]["rewards/margins"]) > 0.01
    for measures, own in made.values():
        for name in names:
            assert measures[name] == pytest.approx(logged(plain, name), rel=1e-5, abs=1e-5 if name == "loss" else 1e-4), name
        assert max((weight - weights[name]).abs().max().item() for name, weight in own.items()) < 1e-5


@pytest.mark.parametrize("objective", ["dpo", "kto"])
def test_the_reference_is_the_adapter_where_the_training_starts(open_trainer, base, tmp_path, objective):
    first = open_trainer(PAIRS, "first", objective=objective, **SETTINGS)
    assert first.run()
    first.model.save_pretrained(tmp_path / "start")
    trainer = open_trainer(PAIRS, "second", init=str(tmp_path / "start"), objective=objective, **SETTINGS)
    assert list(trainer.model.peft_config) == ["default"]  # TRL's copy of it is gone, and is never saved
    assert trainer.run()
    assert trainer.rewards()[0]["chosen"] == pytest.approx(0, abs=1e-4)
    plain = plain_trl(objective, tmp_path, base, trainer, init=str(tmp_path / "start"))
    assert losses_of(trainer) == pytest.approx(logged(plain, "loss"), rel=1e-5)
    assert logged(trainer, "rewards/margins") == pytest.approx(logged(plain, "rewards/margins"), abs=1e-4)


@pytest.mark.parametrize("objective", ["dpo", "kto"])
@pytest.mark.parametrize("execution", [PADDED, PADDING_FREE])
def test_a_step_that_is_cut_smaller_is_the_same_step(open_trainer, objective, execution):
    settings = SETTINGS | {"objective": objective, "sft_weight": 0.5, "num_train_epochs": 1, "per_device_train_batch_size": 4}
    weights = [4.0, 0.5, 1.0] * 7
    whole = open_trainer(weights, "whole", execution, gradient_accumulation_steps=2, **settings)
    whole.micro_batch = whole.micro_batch.__class__(8, False)
    assert whole.run()
    expected = trained_weights(whole.model)
    trainer = open_trainer(weights, "cut", execution, gradient_accumulation_steps=2, **settings)
    # The reference, which comes first, finds what fits.
    found, trainer.log_probabilities = trainer.log_probabilities, lambda model, inputs: out_of_memory() if len(inputs["row"]) > 2 else found(model, inputs)
    assert trainer.run()
    assert trainer.micro_batch.rows == 2
    assert [event.rows for event in trainer.events if event.event == "micro_batch"] == [2]
    assert losses_of(trainer) == pytest.approx(losses_of(whole), rel=1e-5)
    assert logged(trainer, "rewards/margins") == pytest.approx(logged(whole, "rewards/margins"), abs=1e-4)
    assert max((weight - expected[name]).abs().max().item() for name, weight in trained_weights(trainer.model).items()) < 1e-5


def out_of_memory():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")


@pytest.mark.parametrize("objective", ["dpo", "kto"])
def test_a_training_that_continues_from_a_checkpoint_makes_the_same_weights(open_trainer, objective):
    settings = SETTINGS | {"objective": objective, "sft_weight": 1}
    undisturbed = open_trainer(PAIRS, "undisturbed", **settings)
    assert undisturbed.run()
    expected = trained_weights(undisturbed.model)
    cut = open_trainer(PAIRS, "cut", **settings)
    cut.emit = lambda event: setattr(cut.stop, "requested", event.event == "step" and event.step == 2)
    assert not cut.run()
    continued = open_trainer(PAIRS, "cut", **settings)
    assert continued.run()
    assert continued.resumed_from == 2
    assert torch.equal(continued.reference, undisturbed.reference)
    assert losses_of(continued) == losses_of(undisturbed)[2:]
    assert all(torch.equal(weight, expected[name]) for name, weight in trained_weights(continued.model).items())


def test_a_stop_before_the_first_step_leaves_no_checkpoint(open_trainer):
    trainer = open_trainer(PAIRS, objective="dpo", **SETTINGS)
    trainer.stop.requested = True
    assert not trainer.run()
    assert trainer.newest_checkpoint is None


@pytest.mark.parametrize("objective", ["dpo", "kto"])
def test_a_loss_that_is_not_finite_stops_the_training(open_trainer, objective):
    trainer = open_trainer(PAIRS, objective=objective, **SETTINGS)
    with torch.no_grad():
        next(weight for weight in trainer.model.parameters() if weight.requires_grad).fill_(torch.nan)
    with pytest.raises(TrainingFailure) as failure:
        trainer.run()
    assert failure.value.kind == "nan_loss"


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_reference_that_is_gone_is_a_model_that_is_missing(base, tmp_path, method):
    path = write_rows(tmp_path / "rows.jsonl", [None] * 8, "pairs")
    job = TrainingJob(
        id="gone", base_model=base.name_or_path, init_model=str(tmp_path / "nowhere"), dataset=str(path), output_dir=str(tmp_path / "gone"),
        checkpoint_dir=str(tmp_path / "checkpoints"), seed=3, settings=JOB_SETTINGS | {"objective": "dpo", "method": method},
    )  # fmt: skip
    events = []
    assert fine_tune(job, ResidentBase(), SimpleNamespace(requested=False), events.append, Ranks())
    assert (events[-1].event, events[-1].kind) == ("failed", "missing_model")
    assert "nowhere" in events[-1].message


def read(path, base, shape, max_length=1024):
    return read_training_rows(str(path), base.tokenizer, base.end_tokens, max_length, shape)


def answer(content):
    return [{"role": "assistant", "content": content}]


def test_a_pair_of_equal_answers_is_left_out_and_counted(base, tmp_path):
    path = write_rows(tmp_path / "rows.jsonl", [None] * 3, "pairs")
    equal = {"prompt": [{"role": "user", "content": "1+1"}], "chosen": answer("2"), "rejected": answer("2")}
    path.write_text(path.read_text() + json.dumps(equal) + "\n")
    rows = read(path, base, "pairs")
    assert (len(rows.input_ids), rows.equal, rows.dropped) == (3, 1, 0)
    path.write_text(json.dumps(equal) + "\n")
    with pytest.raises(TrainingFailure, match="1 pairs of two equal answers"):
        read(path, base, "pairs")


def test_a_pair_is_left_out_when_either_answer_is_too_long(base, tmp_path):
    long = {"prompt": [{"role": "user", "content": "1+1"}], "chosen": answer("2"), "rejected": answer("1" * 40)}
    path = write_rows(tmp_path / "rows.jsonl", [None] * 3, "pairs")
    path.write_text(path.read_text() + json.dumps(long) + "\n")
    assert read(path, base, "pairs", 40).dropped == 1


def test_labelled_answers_of_one_kind_alone_are_refused(base, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"prompt": [{"role": "user", "content": "1+1"}], "completion": answer("2"), "label": True}) + "\n")
    with pytest.raises(TrainingFailure, match=r"All 1 rows .* label true.* it needs both") as failure:
        read(path, base, "labelled answers")
    assert failure.value.kind == "bad_data"


@pytest.mark.parametrize(
    ("shape", "row", "problem"),
    [
        ("pairs", {"chosen": answer("2")}, "rejected"),
        ("pairs", {"completion": answer("2")}, "chosen"),
        ("pairs", {"chosen": answer("2"), "rejected": [*answer("3"), *answer("4")]}, "one assistant message"),
        ("labelled answers", {"completion": answer("2")}, "label"),
        ("labelled answers", {"completion": answer("2"), "label": 1}, "label must be true or false, not 1"),
        ("answers", {"chosen": answer("2"), "rejected": answer("3")}, "completion"),
    ],
)
def test_a_row_of_another_shape_is_an_error_with_its_line(base, tmp_path, shape, row, problem):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"prompt": [{"role": "user", "content": "1+1"}]} | row) + "\n")
    with pytest.raises(TrainingFailure, match=f"rows.jsonl:1: .*{problem}"):
        read(path, base, shape)


def test_kto_refuses_steps_of_one_row(open_trainer):
    with pytest.raises(TrainingFailure, match="step of 1 row") as failure:
        open_trainer(PAIRS, objective="kto", **(SETTINGS | {"per_device_train_batch_size": 1}))
    assert failure.value.kind == "bad_settings"


def test_each_objective_is_a_file_with_a_trainer():
    assert "imitation" in OBJECTIVES
    assert all(trainer_of(name).ROWS for name in OBJECTIVES)
