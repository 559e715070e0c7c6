"""What the trainer tells while it trains, and how it hears of a stop request."""

import math
from typing import TYPE_CHECKING

from transformers import TrainerCallback

from ..protocol.trainer_messages import Started, Step
from .network import memory_of_one_more

if TYPE_CHECKING:
    from .job_trainer import JobTrainer


class StoppedInsideStep(Exception):
    """Leaves the training loop at the beginning of a step, or between two of its micro-batches."""


class Reporter(TrainerCallback):
    """Turns the callbacks of transformers' trainer into events, and a stop request into a stop."""

    def __init__(self, trainer: "JobTrainer"):
        self._trainer = trainer

    def on_train_begin(self, args, state, control, **_):
        trainer = self._trainer
        trainer.emit(
            Started(
                id=trainer.job.id,
                total_steps=state.max_steps,
                resumed_from_step=trainer.resumed_from,
                rows=len(trainer.rows.input_ids),
                dropped_rows=trainer.rows.dropped,
            )
        )
        trainer.before_first_step()

    def on_step_begin(self, args, state, control, **_):
        self._trainer.remember_random_state()
        if self._trainer.stopping:
            raise StoppedInsideStep

    def on_step_end(self, args, state, control, **_):
        if self._trainer.stopping:
            control.should_save = control.should_training_stop = True

    def on_log(self, args, state, control, logs=None, **_):
        if not logs or "loss" not in logs:
            return
        trainer = self._trainer
        gradient = logs.get("grad_norm", 0.0)
        if not math.isfinite(gradient):
            raise trainer.not_finite("gradient", gradient)
        trainer.emit(
            Step(
                id=trainer.job.id,
                step=state.global_step,
                total_steps=state.max_steps,
                loss=logs["loss"],
                learning_rate=logs["learning_rate"],
                tokens_per_second=trainer.tokens_seen / max(trainer.seconds_spent, 1e-9),
                epoch=state.epoch,
                memory=memory_of_one_more(trainer.base, trainer.ranks),
            )
        )
