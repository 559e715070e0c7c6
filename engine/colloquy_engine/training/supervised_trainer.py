"""TRL's SFT trainer, extended: its checkpoints are complete directories, it stops when asked, and it reports each step.

tests/test_libraries.py pins the methods of TRL and transformers that are overridden or used here without being public.
"""

import math
import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from transformers import PrinterCallback, TrainerCallback, get_scheduler
from trl import SFTConfig, SFTTrainer

from ..protocol.process import StopRequest
from ..protocol.trainer_messages import Checkpoint, Started, Step, TrainingFailure, TrainingJob
from .network import LoadedBase
from .outputs import begin_checkpoint, complete_checkpoint, newest_checkpoint
from .training_rows import TrainingRows


class StoppedInsideStep(Exception):
    """Leaves the training loop at the beginning of a step, or between two of its micro-batches."""


class SupervisedTrainer(SFTTrainer):
    """The training of one job. `emit` receives its Started, Step and Checkpoint events."""

    def __init__(
        self, job: TrainingJob, network: nn.Module, base: LoadedBase, rows: TrainingRows, stop: StopRequest,
        fingerprint: str, emit: Callable[[Started | Step | Checkpoint], None],
    ):  # fmt: skip
        self.job, self.stop, self.fingerprint, self.emit = job, stop, fingerprint, emit
        self.newest_checkpoint: str | None = None
        self.resumed_from = 0
        self.seconds_spent, self.tokens_seen = 0.0, 0
        trained = {name: weight.data for name, weight in network.named_parameters() if weight.requires_grad}
        super().__init__(
            model=network,
            args=_arguments(job),
            # Tokens and labels are complete, so TRL's own preparation (five passes of datasets.map) is skipped.
            train_dataset=_dataset(rows),
            processing_class=base.tokenizer,
            callbacks=[_Reporter(self)],
        )
        # TRL converts adapters on a base in 4 bits to bfloat16, where a step of 2e-4 is lost.
        for name, weight in network.named_parameters():
            if name in trained:
                weight.data = trained[name]
        self.remove_callback(PrinterCallback)
        self.rows = rows
        if rows.weights is not None:
            self.data_collator = _with_weights(self.data_collator)
            self._signature_columns = ["input_ids", "labels", "weight"]  # other columns are removed before a batch is made

    def run(self) -> bool:
        """Trains from the newest complete checkpoint to the end. Returns False when a stop was requested before the end."""
        resumed = newest_checkpoint(Path(self.job.checkpoint_dir), self.fingerprint)
        if resumed:
            self.resumed_from, self.newest_checkpoint = resumed[0], str(resumed[1])
        try:
            self.train(resume_from_checkpoint=self.newest_checkpoint)
        except StoppedInsideStep:
            self._restore_random_state()
            if self.state.global_step > self.resumed_from:
                self._save_checkpoint(self.model, None)
        return self.state.global_step >= self.state.max_steps

    def final_loss(self) -> float:
        return next(entry["loss"] for entry in reversed(self.state.log_history) if "loss" in entry)

    def losses(self, most: int = 50) -> list[dict[str, float]]:
        """The loss over the steps, for a curve: of at most `most` steps, evenly spread, the first and the last among them."""
        steps = [{"step": entry["step"], "loss": entry["loss"]} for entry in self.state.log_history if "loss" in entry]
        if len(steps) <= most:
            return steps
        return [steps[round(at * (len(steps) - 1) / (most - 1))] for at in range(most)]

    def peak_learning_rate(self) -> float:
        return max(entry["learning_rate"] for entry in self.state.log_history if "learning_rate" in entry)

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> LambdaLR:
        """Like transformers' own, but a warm-up begins above 0: at 1 / (w + 1) of the peak, where w is the number of its steps.

        transformers begins it at 0, so that the first step changes nothing; a short fine-tune has few steps to waste. All later steps are
        moved likewise, and the last one still ends above 0. Without a warm-up nothing differs.
        """
        warmup = self.args.get_warmup_steps(num_training_steps)
        if warmup == 0 or self.lr_scheduler is not None:
            return super().create_scheduler(num_training_steps, optimizer)
        unused = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=self.args.learning_rate)
        [factor] = get_scheduler(self.args.lr_scheduler_type, unused, warmup + 1, num_training_steps + 1).lr_lambdas
        self.lr_scheduler = LambdaLR(optimizer or self.optimizer, lambda step: factor(step + 1))
        self._created_lr_scheduler = True
        return self.lr_scheduler

    def compute_loss(self, model: nn.Module, inputs: dict, return_outputs: bool = False, num_items_in_batch=None):
        """TRL's loss: the sum over the tokens of the completions, divided by the number of those tokens in the optimiser step. With row
        weights, each token's loss is multiplied by the weight of its row first."""
        weights = inputs.pop("weight", None)

        def weighted(**given):
            outputs = model(**given)
            outputs.log_probs = outputs.log_probs * weights[:, None]
            return outputs

        return super().compute_loss(model if weights is None else weighted, inputs, return_outputs, num_items_in_batch)

    def training_step(self, model: nn.Module, inputs: dict, *args, **kwargs) -> torch.Tensor:
        """One micro-batch. Raises TrainingFailure `nan_loss` before a loss that is not finite can reach the weights."""
        began = time.monotonic()
        tokens = int(inputs["attention_mask"].sum())
        loss = super().training_step(model, inputs, *args, **kwargs)
        if not math.isfinite(loss.item()):
            raise self.not_finite("loss", loss.item())
        self.tokens_seen += tokens
        self.seconds_spent += time.monotonic() - began
        return loss

    def not_finite(self, what: str, value: float) -> TrainingFailure:
        return TrainingFailure(
            "nan_loss",
            f"The {what} became {value} in step {self.state.global_step + 1} of {self.state.max_steps}. "
            "A lower learning_rate or a longer warm-up usually helps.",
        )

    def _save_checkpoint(self, model: nn.Module, trial: object) -> None:
        step = self.state.global_step
        path = begin_checkpoint(Path(self.job.checkpoint_dir), step)
        self.model.save_pretrained(path)
        self._save_optimizer_and_scheduler(str(path))
        self._save_rng_state(str(path))
        self.state.save_to_json(str(path / "trainer_state.json"))
        complete_checkpoint(path, self.fingerprint)
        self.newest_checkpoint = str(path)
        self.emit(Checkpoint(id=self.job.id, step=step, path=str(path)))

    def remember_random_state(self) -> None:
        """Called before each step, so that a checkpoint written in the middle of a step is one of before that step."""
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        self._random_state = (random.getstate(), np.random.get_state(), torch.get_rng_state(), cuda)

    def _restore_random_state(self) -> None:
        python, numpy, cpu, cuda = self._random_state
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(cpu)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)


class _Reporter(TrainerCallback):
    """Turns the callbacks of transformers' trainer into events, and a stop request into a stop."""

    def __init__(self, trainer: SupervisedTrainer):
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

    def on_step_begin(self, args, state, control, **_):
        if self._trainer.stop.requested:
            self._trainer.remember_random_state()
            raise StoppedInsideStep
        self._trainer.remember_random_state()

    def on_substep_end(self, args, state, control, **_):
        if self._trainer.stop.requested:
            raise StoppedInsideStep

    def on_step_end(self, args, state, control, **_):
        if self._trainer.stop.requested:
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
            )
        )


def _dataset(rows: TrainingRows) -> Dataset:
    columns = {"input_ids": rows.input_ids, "labels": rows.labels}
    return Dataset.from_dict(columns if rows.weights is None else columns | {"weight": rows.weights})


def _with_weights(collate: Callable[[list[dict]], dict]) -> Callable[[list[dict]], dict]:
    """TRL's collator, which knows only tokens and labels, and the weights of the rows beside them."""
    return lambda examples: collate(examples) | {"weight": torch.tensor([example["weight"] for example in examples])}


def _arguments(job: TrainingJob) -> SFTConfig:
    settings, on_gpu = job.settings, torch.cuda.is_available()
    return SFTConfig(
        output_dir=job.checkpoint_dir,
        learning_rate=settings.learning_rate,
        num_train_epochs=settings.num_train_epochs,
        per_device_train_batch_size=settings.per_device_train_batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        lr_scheduler_type=settings.lr_scheduler_type,
        warmup_steps=settings.warmup_ratio,  # transformers takes a number below 1 as a share of all steps
        weight_decay=settings.weight_decay,
        gradient_checkpointing=settings.gradient_checkpointing,
        save_strategy="steps",
        save_steps=settings.save_steps,
        seed=job.seed,
        data_seed=job.seed,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        use_cpu=not on_gpu,
        bf16=on_gpu,
        dataloader_pin_memory=on_gpu,
    )
