"""What TRL's trainers of all objectives get for a job: checkpoints are complete directories, a trainer stops when asked, reports each step, and
decides how much the device works on at once. `objectives/` has the losses.

tests/test_libraries.py pins the methods of TRL and transformers that are overridden or used here without being public.
"""

import math
import random
import time
from collections.abc import Callable
from contextlib import nullcontext
from itertools import zip_longest
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from accelerate.data_loader import prepare_data_loader
from accelerate.utils import DistributedType
from datasets import Dataset
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, RandomSampler, Sampler
from transformers import AutoModelForCausalLM, PrinterCallback, TrainingArguments, get_scheduler
from transformers.trainer import OPTIMIZER_NAME, SCHEDULER_NAME, TRAINER_STATE_NAME

from ..protocol.process import JobStop
from ..protocol.trainer_messages import Checkpoint, ExecutionFacts, MicroBatchChanged, Started, Step, TrainingFailure, TrainingJob, as_failure
from .arguments import common_arguments
from .batches import to_device
from .execution import bf16
from .micro_batches import (
    Example, MicroBatch, SmallerNextTime, after_lack, cut, first_micro_batch, micro_batch_changed, remembered, share_of, smallest,
)  # fmt: skip
from .network import LoadedBase
from .outputs import begin_checkpoint, complete_checkpoint, newest_checkpoint
from .ranks import Ranks, own_parts, put_own_parts, put_whole_optimizer, whole_optimizer, whole_weights
from .reporter import Reporter, StoppedInsideStep
from .training_rows import RowShape, TrainingRows


class JobTrainer:
    """The training of one job: stands before a trainer of TRL in the bases of an objective. `emit` receives its Started, Step, Checkpoint and
    MicroBatchChanged events.

    Its batches are whole optimiser steps, of which each rank trains its share in micro-batches. An objective gives ROWS, `arguments`,
    `dataset_of`, `collator`, `_get_num_items_in_batch` (what its loss divides by) and `compute_loss` (a micro-batch's part of the step's loss).
    """

    ROWS: RowShape
    measured: torch.Tensor | None = None  # sums over the rows of the last micro-batch, beside its loss

    @staticmethod
    def arguments(job: TrainingJob, common: dict) -> TrainingArguments:
        """TRL's arguments of the objective; `common` are those of all objectives. Raises TrainingFailure."""
        raise NotImplementedError

    @staticmethod
    def dataset_of(rows: TrainingRows, job: TrainingJob) -> Dataset:
        raise NotImplementedError

    def collator(self) -> Callable[[list[Example]], dict]:
        """What makes a batch of rows."""
        raise NotImplementedError

    def sampler(self) -> Sampler:
        """The order of the rows."""
        return RandomSampler(self.train_dataset)

    def length_of(self, example: Example) -> int:
        """How many tokens a row has."""
        return len(example["input_ids"])

    def before_first_step(self) -> None:
        """The network still has the weights of the start. May be called twice."""

    def before_gradient(self, model: nn.Module, step: list[Example]) -> None:
        """What the loss of a step has to know of all its rows. All ranks call it."""

    def measures_of_step(self, sums: list[float], step: list[Example]) -> dict[str, float]:
        """The measures of a step, by TRL's names, from the sums of `measured` over all its rows."""
        return {}

    def __init__(
        self, job: TrainingJob, network: nn.Module, base: LoadedBase, rows: TrainingRows, stop: JobStop,
        fingerprint: str, emit: Callable[[Started | Step | Checkpoint | MicroBatchChanged], None], ranks: Ranks, fits: MicroBatch | None = None,
    ):  # fmt: skip
        self.job, self.stop, self.fingerprint, self.emit, self.ranks = job, stop, fingerprint, emit, ranks
        self.newest_checkpoint: str | None = None
        self.resumed_from = 0
        self.seconds_spent, self.tokens_seen = 0.0, 0
        trained = {name: weight.data for name, weight in network.named_parameters() if weight.requires_grad}
        self.stop_agreed = False
        self.micro_batch = remembered(Path(job.checkpoint_dir)) or fits or first_micro_batch(job.settings, base.execution, ranks.size)
        self.reported_micro_batch = self.micro_batch
        super().__init__(
            model=network,
            args=self.arguments(job, common_arguments(job, self.micro_batch, sharded=job.settings.method == "full" and ranks.size > 1)),
            train_dataset=self.dataset_of(rows, job),
            processing_class=base.tokenizer,
            callbacks=[Reporter(self)],
        )
        # TRL converts adapters on a base in 4 bits to bfloat16, where a step of 2e-4 is lost.
        for name, weight in network.named_parameters():
            if name in trained:
                weight.data = trained[name]
        self.remove_callback(PrinterCallback)
        self.rows, self.base = rows, base
        self.data_collator = self.collator()

    def run(self) -> bool:
        """Trains from the newest complete checkpoint to the end. Returns False when a stop was requested before the end."""
        resumed = newest_checkpoint(Path(self.job.checkpoint_dir), self.fingerprint)
        if resumed:
            self.resumed_from, self.newest_checkpoint = resumed[0], str(resumed[1])
        try:
            self.train(resume_from_checkpoint=self.newest_checkpoint)
        except StoppedInsideStep:
            if self.state.global_step > self.resumed_from:
                self._restore_random_state()
                self._save_checkpoint(self.model, None)
        return self.state.global_step >= self.state.max_steps

    def final_loss(self) -> float:
        return next(entry["loss"] for entry in reversed(self.state.log_history) if "loss" in entry)

    def losses(self, most: int = 50) -> list[dict[str, float]]:
        """The loss over the steps, for a curve: of at most `most` steps, evenly spread, the first and the last among them."""
        return [{"step": entry["step"], "loss": entry["loss"]} for entry in self._entries(most)]

    def rewards(self, most: int = 50) -> list[dict[str, float]]:
        """The mean rewards of a step's wanted and unwanted answers, of the same steps; none for an objective without rewards."""
        names = {"chosen": "rewards/chosen", "rejected": "rewards/rejected"}
        return [
            {"step": entry["step"]} | {name: entry[logged] for name, logged in names.items()}
            for entry in self._entries(most)
            if all(logged in entry for logged in names.values())
        ]

    def _entries(self, most: int) -> list[dict[str, float]]:
        steps = [entry for entry in self.state.log_history if "loss" in entry]
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

    def create_accelerator_and_postprocess(self) -> None:
        """On CPUs accelerate takes no notice of `fsdp`, and each rank would have all weights. So it is told there that it has cards."""
        if self.args.fsdp_plugin_args is not None and not torch.cuda.is_available():
            PartialState().distributed_type = DistributedType.MULTI_GPU
        super().create_accelerator_and_postprocess()

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
        loader = DataLoader(self.train_dataset, batch_size=in_a_step, sampler=self.sampler(), collate_fn=list)
        return prepare_data_loader(loader, num_processes=1, process_index=0, use_seedable_sampler=True, data_seed=self.job.seed)

    def floating_point_ops(self, inputs: list[Example]) -> int:
        return 0  # they are reported nowhere

    def training_step(self, model: nn.Module, inputs: list[Example], num_items_in_batch: torch.Tensor | None = None) -> torch.Tensor:
        """The gradient of one optimiser step. Raises TrainingFailure `nan_loss` before a loss that is not finite can reach the weights, and
        `out_of_memory` when not even a single row fits."""
        began = time.monotonic()
        model.train()
        self.before_gradient(model, inputs)
        shares = [share_of(inputs, rank, self.ranks.size, self.length_of) for rank in range(self.ranks.size)]
        while (loss := self._loss_of(model, shares, num_items_in_batch)) is None:
            model.zero_grad()
            self._restore_random_state()
            torch.cuda.empty_cache()
        if self.ranks.size > 1 and not self.is_fsdp_enabled:
            self.ranks.average_gradients(model.parameters())
        self._agree(loss, inputs)
        self.tokens_seen += sum(map(self.length_of, inputs))
        self.seconds_spent += time.monotonic() - began
        return loss[0]

    def _loss_of(self, model: nn.Module, shares: list[list[Example]], learnt: torch.Tensor) -> torch.Tensor | None:
        """Adds up the gradients of the micro-batches of this rank's share; returns their loss, and the sums of `measured` behind it. None when
        one did not fit, and a smaller one is to be tried."""
        micro_batches, fillers = self.micro_batches(shares)
        self.micro_batches_of_step = max(1, len(micro_batches))
        try:
            sums = torch.zeros(1, device=self.args.device)
            for number, examples in enumerate(micro_batches):
                if number > 0 and self.ranks.size == 1 and self.stop.requested:
                    raise StoppedInsideStep
                sums = _plus(sums, self._backward(model, examples, learnt))
            for examples in fillers:
                self._backward(model, examples, learnt, weight=0)
            return sums
        except (RuntimeError, MemoryError) as error:
            self.take_less_memory(error, shares[self.ranks.rank] or next(filter(None, shares)))
            return None

    def micro_batches(self, shares: list[list[Example]]) -> tuple[list[list[Example]], list[list[Example]]]:
        """The micro-batches of this rank's share, and those that only keep it in step: ranks that share the weights gather each layer together, so
        each has as many micro-batches as the others."""
        cuts = [cut(share, self.micro_batch.rows) for share in shares]
        own = cuts[self.ranks.rank]
        most = max(map(len, cuts)) if self.is_fsdp_enabled else len(own)
        return own, [next(filter(None, shares))[:1]] * (most - len(own))

    def on_device(self, inputs: dict) -> dict:
        return {name: to_device(self.args.device, value) for name, value in inputs.items()}

    def _backward(self, model: nn.Module, examples: list[Example], learnt: torch.Tensor, weight: int = 1) -> torch.Tensor:
        inputs = self.on_device(self.data_collator(examples))
        # What leaves the devices is averaged over the ranks, by us or by FSDP.
        factor = weight * self.ranks.size
        with self.accelerator.no_sync(model) if self.ranks.size > 1 and not self.is_fsdp_enabled else nullcontext():
            loss = self.compute_loss(model, inputs, num_items_in_batch=learnt)
            loss = loss if factor == 1 else loss * factor
            self.accelerator.backward(loss)
        own = loss.detach().reshape(1)
        return own if self.measured is None else torch.cat([own, self.measured])

    def take_less_memory(self, error: BaseException, share: list[Example]) -> None:
        """Raises the error when it is not a lack of memory; TrainingFailure `out_of_memory` when nothing is left to try; SmallerNextTime when the
        ranks have to begin again."""
        if as_failure(error).kind != "out_of_memory":
            raise error
        smaller = after_lack(self.micro_batch, share, self.length_of, error)
        if self.is_fsdp_enabled:
            raise SmallerNextTime(smaller) from error
        self._use(smaller)

    def _use(self, micro_batch: MicroBatch) -> None:
        if micro_batch.gradient_checkpointing and not self.micro_batch.gradient_checkpointing:
            network = self.accelerator.unwrap_model(self.model)
            network.activation_checkpointing_enable({"use_reentrant": False})
            network.enable_input_require_grads()
        self.micro_batch = micro_batch

    def _agree(self, sums: torch.Tensor, step: list[Example]) -> None:
        """After a step's gradient: all ranks act on what one of them has found out."""
        # The only time in a step that the device is waited for.
        found = self.ranks.of_all((sums.tolist(), self.micro_batch, self.stop.requested))
        self.stop_agreed = any(stop for _, _, stop in found)
        self._use(smallest([micro_batch for _, micro_batch, _ in found]))
        if self.micro_batch != self.reported_micro_batch and self.ranks.first:
            self.micro_batch.remember(Path(self.job.checkpoint_dir))
            self.emit(micro_batch_changed(self.job.id, self.state.global_step, self.micro_batch))
        self.reported_micro_batch = self.micro_batch
        losses, *measured = zip_longest(*(of_rank for of_rank, _, _ in found), fillvalue=0.0)
        total = math.fsum(losses) / self.ranks.size
        if not math.isfinite(total):
            raise self.not_finite("loss", total)
        for name, value in self.measures_of_step([math.fsum(each) for each in measured], step).items():
            self._metrics["train"][name].append(value)

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
        optimizer = whole_optimizer(self.optimizer) if self.is_fsdp_enabled else None
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
        self.before_first_step()
        if not self.is_fsdp_enabled:
            return super()._load_from_checkpoint(resume_from_checkpoint, model)
        saved = AutoModelForCausalLM.from_pretrained(resume_from_checkpoint, dtype=torch.float32)
        put_own_parts(self.model, own_parts(dict(saved.named_parameters()), self.model))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if not self.is_fsdp_enabled or checkpoint is None:
            return super()._load_optimizer_and_scheduler(checkpoint)
        saved = torch.load(Path(checkpoint) / OPTIMIZER_NAME, map_location="cpu", weights_only=True)
        put_whole_optimizer(self.optimizer, saved)
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


def _plus(sums: torch.Tensor, more: torch.Tensor) -> torch.Tensor:
    """The sum of two vectors; the shorter one counts as 0 where it ends."""
    return nn.functional.pad(sums, (0, max(0, len(more) - len(sums)))) + nn.functional.pad(more, (0, max(0, len(sums) - len(more))))
