"""What does not fit into memory is cut smaller, and the steps stay the same."""

import random
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from colloquy_engine.protocol.trainer_messages import TrainingFailure
from colloquy_engine.training.fine_tune import fine_tune
from colloquy_engine.training.micro_batches import MicroBatch, cut, learnt_tokens, remembered, share_of
from colloquy_engine.training.moved import trained_weights
from colloquy_engine.training.network import ResidentBase
from colloquy_engine.training.ranks import Ranks
from colloquy_engine.training.objectives.imitation import Trainer
from training_jobs import base, losses_of, open_trainer  # noqa: F401


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

    monkeypatch.setattr(Trainer, "run", too_large)
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
    shares = [share_of(examples, rank, ranks, lambda example: len(example["input_ids"])) for rank in range(ranks)]
    assert sorted(row["input_ids"][0] for share in shares for row in share) == list(range(24))
    tokens = [sum(len(row["input_ids"]) for row in share) for share in shares]
    assert max(tokens) - min(tokens) <= 60
    assert ranks > 1 or shares[0] == examples
    assert sum(len(part) for share in shares for part in cut(share, 3)) == 24
    assert learnt_tokens(examples) == 48
