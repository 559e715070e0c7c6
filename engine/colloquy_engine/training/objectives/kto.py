"""KTO: Kahneman-Tversky optimisation on answers that are each wanted or unwanted (Ethayarajh et al. 2024; TRL's KTOTrainer)."""

import math
import random

import torch
from datasets import Dataset
from torch import nn
from torch.utils.data import SequentialSampler
from trl import KTOConfig, KTOTrainer

from ...protocol.trainer_messages import TrainingFailure, TrainingJob
from ..micro_batches import Example, share_of
from ..preference import PreferenceTrainer, Sequence, completion_tokens
from ..training_rows import IGNORED, TrainingRows


class Trainer(PreferenceTrainer, KTOTrainer):
    """The first sequence of a row is its answer; the second one is the answer of another row behind the same prompt. The loss compares how far the
    first moved from the start with how far such unrelated answers moved on average over the step: TRL's estimate of the KL divergence.

    TRL takes the rows in their order, and so each step has the same rows in each pass. They are shuffled once, as they come in pairs.
    """

    ROWS = "labelled answers"
    LEARNT = ("first",)
    kl = 0.0  # of the step, at least 0

    @staticmethod
    def arguments(job: TrainingJob, common: dict) -> KTOConfig:
        settings, rows = job.settings, rows_of_step(job)
        if rows < 2:
            raise TrainingFailure(
                "bad_settings",
                "settings.per_device_train_batch_size and gradient_accumulation_steps give an optimiser step of 1 row. "
                "KTO compares the rows of a step with each other: it needs at least 2.",
            )
        return KTOConfig(**(common | {"per_device_train_batch_size": rows}), beta=settings.beta, disable_dropout=False,
            train_sampling_strategy="sequential", precompute_ref_log_probs=settings.method == "full")  # fmt: skip

    @classmethod
    def dataset_of(cls, rows: TrainingRows, job: TrainingJob) -> Dataset:
        order = random.Random(job.seed).sample(range(len(rows.input_ids)), len(rows.input_ids))
        first = [(rows.input_ids[row], rows.labels[row]) for row in order]
        size = rows_of_step(job)
        # Within the rows of a step, each prompt is followed by the answer of the row before; the first one by that of the last row.
        second = [
            behind(sequence, step[place - 1])
            for step in (first[at : at + size] for at in range(0, len(first), size))
            for place, sequence in enumerate(step)
        ]
        weights = rows.weights and [rows.weights[row] for row in order]
        return cls.two_sequences(first, second, {"desirable": [rows.desirable[row] for row in order], "weight": weights})

    def sampler(self) -> SequentialSampler:
        return SequentialSampler(self.train_dataset)

    def _get_num_items_in_batch(self, batch_samples: list[list[Example]], device: torch.device) -> torch.Tensor:
        """The rows of the step, and the tokens of its wanted answers."""
        rows = [row for batch in batch_samples for row in batch]
        wanted = sum(completion_tokens(row["first_labels"]) for row in rows if row["desirable"])
        return torch.tensor([float(len(rows)), float(max(1, wanted))], device=device)

    def before_gradient(self, model: nn.Module, step: list[Example]) -> None:
        shares = [share_of(step, rank, self.ranks.size, self.length_of) for rank in range(self.ranks.size)]
        parts = self.without_gradient(model, shares, ("second",), lambda of_rows, found: (found - self.reference_of(of_rows)[1]).sum())
        own = torch.stack(parts).tolist() if parts else []
        total = math.fsum(self.ranks.of_all(math.fsum(own)))
        self.kl = max(0.0, total / len(step))

    def compute_loss(self, model: nn.Module, inputs: dict, return_outputs: bool = False, num_items_in_batch=None):
        """TRL's `kto` loss, the mean over the rows of an optimiser step, and `sft_weight` times the mean over the tokens of its wanted answers of
        their negative log-likelihood. With row weights, each row counts by its weight in both."""
        rows, tokens = num_items_in_batch
        of_rows, found, aux_loss = self.log_probabilities(model, inputs)
        ratio = found - self.reference_of(of_rows)[0]
        wanted = of_rows["desirable"]
        weights = of_rows.get("weight", torch.ones_like(found))
        losses = 1 - torch.sigmoid(self.beta * torch.where(wanted, ratio - self.kl, self.kl - ratio))
        loss = (weights * losses).sum() / rows - self.job.settings.sft_weight * (weights * found * wanted).sum() / tokens
        rewards = self.beta * ratio.detach()
        self.measured = torch.stack([(rewards * wanted).sum(), (rewards * ~wanted).sum()])
        loss = self.with_aux_loss(loss, aux_loss)
        return (loss, None) if return_outputs else loss

    def measures_of_step(self, sums: list[float], step: list[Example]) -> dict[str, float]:
        wanted = sum(row["desirable"] for row in step)
        counts = {"rewards/chosen": wanted, "rewards/rejected": len(step) - wanted}
        means = {name: total / counts[name] for name, total in zip(counts, sums, strict=True) if counts[name] > 0}
        margin = {"rewards/margins": means["rewards/chosen"] - means["rewards/rejected"]} if len(means) == 2 else {}
        return means | margin | {"kl": self.kl}


def rows_of_step(job: TrainingJob) -> int:
    return job.settings.per_device_train_batch_size * job.settings.gradient_accumulation_steps


def behind(prompt: Sequence, answer: Sequence) -> Sequence:
    """The prompt of one row followed by the answer of another."""
    tokens = [token for token, label in zip(*prompt, strict=True) if label == IGNORED]
    learnt = [label for label in answer[1] if label != IGNORED]
    return tokens + learnt, [IGNORED] * len(tokens) + learnt
