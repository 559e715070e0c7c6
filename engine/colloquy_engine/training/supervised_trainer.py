"""TRL's SFT trainer, extended: its checkpoints are complete directories, it stops when asked, it reports each step, and it decides how much the
device works on at once.

tests/test_libraries.py pins the methods of TRL and transformers that are overridden or used here without being public.
"""

import math
import random
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from accelerate.data_loader import prepare_data_loader
from datasets import Dataset
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, RandomSampler
from transformers import AutoModelForCausalLM, PrinterCallback, TrainerCallback, get_scheduler
from transformers.trainer import OPTIMIZER_NAME, SCHEDULER_NAME, TRAINER_STATE_NAME
from trl import SFTConfig, SFTTrainer
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from ..protocol.process import StopRequest
from ..protocol.trainer_messages import Checkpoint, ExecutionFacts, MicroBatchChanged, Started, Step, TrainingFailure, TrainingJob, as_failure
from .execution import bf16, liger_kernel
from .micro_batches import Example, MicroBatch, cut, learnt_tokens, remembered, share_of, smallest
from .network import LoadedBase
from .outputs import begin_checkpoint, complete_checkpoint, newest_checkpoint
from .ranks import Ranks, own_parts, put_own_parts, sharded_like, whole, whole_weights
from .training_rows import TrainingRows


class StoppedInsideStep(Exception):
    """Leaves the training loop at the beginning of a step, or between two of its micro-batches."""


class SmallerNextTime(Exception):
    """A rank lacked memory while the others waited for its part of a layer: all have to begin again, with a smaller micro-batch."""

    def __init__(self, micro_batch: MicroBatch):
        super().__init__(f"A micro-batch did not fit into memory; the next attempt has micro-batches of {micro_batch.rows} rows")
        self.micro_batch = micro_batch


def micro_batch_changed(job_id: str, step: int, micro_batch: MicroBatch) -> MicroBatchChanged:
    return MicroBatchChanged(id=job_id, step=step, rows=micro_batch.rows, gradient_checkpointing=micro_batch.gradient_checkpointing)


class SupervisedTrainer(SFTTrainer):
    """The training of one job. `emit` receives its Started, Step, Checkpoint and MicroBatchChanged events.

    Its batches are whole optimiser steps, of which each rank trains its share in micro-batches.
    """

    def __init__(
        self, job: TrainingJob, network: nn.Module, base: LoadedBase, rows: TrainingRows, stop: StopRequest,
        fingerprint: str, emit: Callable[[Started | Step | Checkpoint | MicroBatchChanged], None], ranks: Ranks, fits: MicroBatch | None = None,
    ):  # fmt: skip
        self.job, self.stop, self.fingerprint, self.emit, self.ranks = job, stop, fingerprint, emit, ranks
        self.newest_checkpoint: str | None = None
        self.resumed_from = 0
        self.seconds_spent, self.tokens_seen = 0.0, 0
        trained = {name: weight.data for name, weight in network.named_parameters() if weight.requires_grad}
        self.stop_agreed = False
        self.micro_batch = remembered(Path(job.checkpoint_dir)) or fits or _first_micro_batch(job, base, ranks)
        super().__init__(
            model=network,
            args=_arguments(job, self.micro_batch, sharded=job.settings.method == "full" and ranks.size > 1),
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
        self.rows, self.base = rows, base
        pad = DataCollatorForLanguageModeling(pad_token_id=base.tokenizer.pad_token_id, padding_free=base.execution.padding_free)
        self.data_collator = pad if rows.weights is None else _with_weights(pad)

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

    def carried_out(self) -> ExecutionFacts:
        """How the fine-tune was carried out, for the model's record."""
        chosen = self.base.execution
        return ExecutionFacts(
            processes=self.ranks.size,
            bf16=bf16(),
            attn_implementation=chosen.attn_implementation,
            padding_free=chosen.padding_free,
            micro_batch=self.micro_batch.rows,
            gradient_checkpointing=self.micro_batch.gradient_checkpointing,
        )

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

    def get_train_dataloader(self) -> DataLoader:
        """The rows of each optimiser step, in the order in which TRL takes them. All ranks have all rows."""
        settings = self.job.settings
        in_a_step = settings.per_device_train_batch_size * settings.gradient_accumulation_steps
        loader = DataLoader(self.train_dataset, batch_size=in_a_step, sampler=RandomSampler(self.train_dataset), collate_fn=list)
        return prepare_data_loader(loader, num_processes=1, process_index=0, use_seedable_sampler=True, data_seed=self.job.seed)

    def _get_num_items_in_batch(self, batch_samples: list[list[Example]], device: torch.device) -> torch.Tensor:
        return torch.tensor(float(sum(map(learnt_tokens, batch_samples))), device=device)

    def floating_point_ops(self, inputs: list[Example]) -> int:
        return 0  # they are reported nowhere

    def compute_loss(self, model: nn.Module, inputs: dict, return_outputs: bool = False, num_items_in_batch=None):
        """TRL's loss: the sum over the tokens of the completions, divided by the number of those tokens in the optimiser step. With row
        weights, each token's loss is multiplied by the weight of its row first. TRL's own method also reads measures of each micro-batch from the
        device, which waits for it."""
        weights = inputs.pop("weight", None)
        if self.aux_loss_enabled:
            inputs["output_router_logits"] = True
        outputs = model(**inputs, use_cache=False, fused_lm_head=True)
        losses = -outputs.log_probs if weights is None else -(outputs.log_probs * weights)
        loss = losses.sum() / num_items_in_batch
        if self.aux_loss_enabled:
            loss = loss + self.router_aux_loss_coef * outputs.aux_loss / self._micro_batches
        return (loss, outputs) if return_outputs else loss

    def training_step(self, model: nn.Module, inputs: list[Example], num_items_in_batch: torch.Tensor | None = None) -> torch.Tensor:
        """The gradient of one optimiser step. Raises TrainingFailure `nan_loss` before a loss that is not finite can reach the weights, and
        `out_of_memory` when not even a single row fits."""
        began = time.monotonic()
        model.train()
        share = share_of(inputs, self.ranks.rank, self.ranks.size)
        before = self.micro_batch
        while (loss := self._loss_of(model, share, inputs, num_items_in_batch)) is None:
            model.zero_grad()
            self._restore_random_state()
            _free_memory()
        if self.ranks.size > 1 and not self.is_fsdp_enabled:
            self.ranks.average_gradients(model.parameters())
        self._agree(loss.item(), before)  # the only time in a step that the device is waited for
        self.tokens_seen += sum(len(example["input_ids"]) for example in inputs)
        self.seconds_spent += time.monotonic() - began
        return loss

    def _loss_of(self, model: nn.Module, share: list[Example], step: list[Example], learnt: torch.Tensor) -> torch.Tensor | None:
        """Adds up the gradients of the share's micro-batches; returns their loss. None when one did not fit, and a smaller one is to be tried."""
        try:
            loss = torch.zeros((), device=self.args.device)
            micro_batches = cut(share, self.micro_batch.rows)
            self._micro_batches = max(1, len(micro_batches))
            for number, examples in enumerate(micro_batches):
                if number > 0 and self.ranks.size == 1 and self.stop.requested:
                    raise StoppedInsideStep
                loss += self._backward(model, examples, learnt)
            if self.is_fsdp_enabled:
                # All ranks gather each layer's weights together, so each has as many micro-batches as the others.
                others = (share_of(step, rank, self.ranks.size) for rank in range(self.ranks.size))
                most = max(len(cut(other, self.micro_batch.rows)) for other in others)
                for _ in range(most - len(micro_batches)):
                    self._backward(model, step[:1], learnt, weight=0)
            return loss
        except (RuntimeError, MemoryError) as error:
            if as_failure(error).kind != "out_of_memory":
                raise
            self._take_less_memory(error, share or step)
            return None

    def _backward(self, model: nn.Module, examples: list[Example], learnt: torch.Tensor, weight: int = 1) -> torch.Tensor:
        inputs = {name: _to(self.args.device, value) for name, value in self.data_collator(examples).items()}
        # What leaves the devices is averaged over the ranks, by us or by FSDP.
        factor = weight * self.ranks.size
        with self.accelerator.no_sync(model) if self.ranks.size > 1 and not self.is_fsdp_enabled else nullcontext():
            loss = self.compute_loss(model, inputs, num_items_in_batch=learnt)
            loss = loss if factor == 1 else loss * factor
            self.accelerator.backward(loss)
        return loss.detach()

    def _take_less_memory(self, error: BaseException, share: list[Example]) -> None:
        """Raises TrainingFailure `out_of_memory` when nothing is left to try; SmallerNextTime when the ranks have to begin again."""
        smaller = replace(self.micro_batch, rows=min(self.micro_batch.rows, len(share))).smaller()
        if smaller is None:
            longest = max(len(example["input_ids"]) for example in share)
            raise TrainingFailure(
                "out_of_memory",
                f"A single row of {longest} tokens or fewer does not fit into memory, not even with gradient checkpointing ({type(error).__name__}: {error}). "
                f"What helps: a max_length below {longest}, which leaves the longest rows out; the method lora in place of full; more processes for a full "
                "fine-tune, because they share its weights; a device that nothing else uses; a smaller base model",
            ) from error
        if self.is_fsdp_enabled:
            raise SmallerNextTime(smaller) from error
        self._use(smaller)

    def _use(self, micro_batch: MicroBatch) -> None:
        if micro_batch.gradient_checkpointing and not self.micro_batch.gradient_checkpointing:
            network = self.accelerator.unwrap_model(self.model)
            network.activation_checkpointing_enable({"use_reentrant": False})
            network.enable_input_require_grads()
        self.micro_batch = micro_batch

    def _agree(self, loss: float, before: MicroBatch) -> None:
        """After a step's gradient: all ranks act on what one of them has found out."""
        found = self.ranks.of_all((loss, self.micro_batch, self.stop.requested))
        self.stop_agreed = any(stop for _, _, stop in found)
        self._use(smallest([micro_batch for _, micro_batch, _ in found]))
        if self.micro_batch != before and self.ranks.first:
            self.micro_batch.remember(Path(self.job.checkpoint_dir))
            self.emit(micro_batch_changed(self.job.id, self.state.global_step, self.micro_batch))
        total = math.fsum(loss for loss, _, _ in found) / self.ranks.size
        if not math.isfinite(total):
            raise self.not_finite("loss", total)

    @property
    def stopping(self) -> bool:
        return self.stop.requested if self.ranks.size == 1 else self.stop_agreed

    def not_finite(self, what: str, value: float) -> TrainingFailure:
        return TrainingFailure(
            "nan_loss",
            f"The {what} became {value} in step {self.state.global_step + 1} of {self.state.max_steps}. "
            "A lower learning_rate or a longer warm-up usually helps.",
        )

    def _save_checkpoint(self, model: nn.Module, trial: object) -> None:
        """A checkpoint holds whole tensors, so that another number of ranks can continue it."""
        step, first = self.state.global_step, self.ranks.first
        path = begin_checkpoint(Path(self.job.checkpoint_dir), step) if first else Path()
        path = self.ranks.of_first(path)
        self._save_rng_state(str(path))
        weights = whole_weights(self.model) if self.is_fsdp_enabled else None
        optimizer = _mapped(self.optimizer.state_dict(), whole) if self.is_fsdp_enabled else None
        if first:
            self.model.save_pretrained(path, state_dict=weights)
            if optimizer is None:
                self._save_optimizer_and_scheduler(str(path))
            else:
                torch.save(optimizer, path / OPTIMIZER_NAME)
                torch.save(self.lr_scheduler.state_dict(), path / SCHEDULER_NAME)
            self.state.save_to_json(str(path / TRAINER_STATE_NAME))
        self.ranks.of_all(None)  # each has written its own part
        if first:
            complete_checkpoint(path, self.fingerprint)
        self.newest_checkpoint = str(path)
        self.emit(Checkpoint(id=self.job.id, step=step, path=str(path)))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        if not self.is_fsdp_enabled:
            return super()._load_from_checkpoint(resume_from_checkpoint, model)
        saved = AutoModelForCausalLM.from_pretrained(resume_from_checkpoint, dtype=torch.float32)
        put_own_parts(self.model, own_parts(dict(saved.named_parameters()), self.model))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if not self.is_fsdp_enabled or checkpoint is None:
            return super()._load_optimizer_and_scheduler(checkpoint)
        saved = torch.load(Path(checkpoint) / OPTIMIZER_NAME, map_location="cpu", weights_only=True)
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        for place, state in saved["state"].items():
            like = parameters[place]
            saved["state"][place] = {name: sharded_like(value, like) if value.shape == like.shape else value for name, value in state.items()}
        self.optimizer.load_state_dict(saved)
        self.lr_scheduler.load_state_dict(torch.load(Path(checkpoint) / SCHEDULER_NAME, weights_only=True))

    def remember_random_state(self) -> None:
        """Called before each step, so that a checkpoint written in the middle of a step is one of before that step."""
        cuda = torch.cuda.get_rng_state() if torch.cuda.is_available() else None
        self._random_state = (random.getstate(), np.random.get_state(), torch.get_rng_state(), cuda)

    def _restore_random_state(self) -> None:
        python, numpy, cpu, cuda = self._random_state
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state(cuda)


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
            )
        )


def _dataset(rows: TrainingRows) -> Dataset:
    columns = {"input_ids": rows.input_ids, "labels": rows.labels}
    return Dataset.from_dict(columns if rows.weights is None else columns | {"weight": rows.weights})


def _with_weights(pad: DataCollatorForLanguageModeling) -> Callable[[list[Example]], dict]:
    """TRL's collator, which knows only tokens and labels, and beside them the weight of each token that the loss counts."""

    def collate(examples: list[Example]) -> dict:
        weights = torch.tensor([example["weight"] for example in examples])
        if pad.padding_free:
            lengths = torch.tensor([len(example["input_ids"]) for example in examples])
            weights = weights.repeat_interleave(lengths)[None, 1:]
        else:
            weights = weights[:, None]
        return pad(examples) | {"weight": weights}

    return collate


def _to(device: torch.device, value: object) -> object:
    """On its way to the device, while the device works on."""
    if not isinstance(value, torch.Tensor) or device.type == "cpu":
        return value
    return value.pin_memory().to(device, non_blocking=True)


def _mapped(value, change: Callable[[torch.Tensor], torch.Tensor]):
    if isinstance(value, dict):
        return {key: _mapped(each, change) for key, each in value.items()}
    if isinstance(value, list):
        return [_mapped(each, change) for each in value]
    return change(value) if isinstance(value, torch.Tensor) else value


def _free_memory() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _first_micro_batch(job: TrainingJob, base: LoadedBase, ranks: Ranks) -> MicroBatch:
    settings = job.settings
    share = math.ceil(settings.per_device_train_batch_size * settings.gradient_accumulation_steps / ranks.size)
    rows = share if base.execution.any_length else settings.per_device_train_batch_size
    return MicroBatch(rows, settings.gradient_checkpointing)


# Whole tensors in checkpoints, and weights that are sharded from the first step on.
_FSDP = {
    "fsdp": "full_shard",
    "fsdp_config": {
        "fsdp_version": 2, "auto_wrap_policy": "TRANSFORMER_BASED_WRAP", "reshard_after_forward": True,
        "state_dict_type": "FULL_STATE_DICT", "cpu_ram_efficient_loading": False,
    },
}  # fmt: skip


def _arguments(job: TrainingJob, micro_batch: MicroBatch, sharded: bool) -> SFTConfig:
    settings, on_gpu = job.settings, torch.cuda.is_available()
    return SFTConfig(
        output_dir=job.checkpoint_dir,
        learning_rate=settings.learning_rate,
        num_train_epochs=settings.num_train_epochs,
        per_device_train_batch_size=settings.per_device_train_batch_size,
        gradient_accumulation_steps=1,  # a batch is a step already
        lr_scheduler_type=settings.lr_scheduler_type,
        warmup_steps=settings.warmup_ratio,  # transformers takes a number below 1 as a share of all steps
        weight_decay=settings.weight_decay,
        gradient_checkpointing=micro_batch.gradient_checkpointing,
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
        bf16=bf16(),
        use_liger_kernel=liger_kernel(),
        dataloader_pin_memory=on_gpu,
        **(_FSDP if sharded else {}),
    )
