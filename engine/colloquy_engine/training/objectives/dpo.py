"""DPO: direct preference optimisation on pairs of a chosen and a rejected answer to one prompt (Rafailov et al. 2023; TRL's DPOTrainer)."""

import torch
from datasets import Dataset
from torch import nn
from torch.nn.functional import logsigmoid
from trl import DPOConfig, DPOTrainer

from ...protocol.trainer_messages import TrainingJob
from ..micro_batches import Example
from ..preference import PreferenceTrainer, completion_tokens
from ..training_rows import TrainingRows


class Trainer(PreferenceTrainer, DPOTrainer):
    """The first sequence of a row is the chosen answer, the second one the rejected answer."""

    ROWS = "pairs"
    LEARNT = ("first", "second")

    @staticmethod
    def arguments(job: TrainingJob, common: dict) -> DPOConfig:
        settings = job.settings
        return DPOConfig(
            **common,
            beta=settings.beta,
            loss_type=["sigmoid", "sft"],
            loss_weights=[1.0, settings.sft_weight],
            disable_dropout=False,  # it would stay disabled in the base, which the next job trains; `lora_dropout` is 0 by default
            precompute_ref_log_probs=settings.method == "full",  # else TRL loads a second model
        )

    @classmethod
    def dataset_of(cls, rows: TrainingRows, job: TrainingJob) -> Dataset:
        chosen = list(zip(rows.input_ids, rows.labels, strict=True))
        return cls.two_sequences(chosen, rows.rejected, {"weight": rows.weights})

    def _get_num_items_in_batch(self, batch_samples: list[list[Example]], device: torch.device) -> torch.Tensor:
        """The pairs of the step, and the tokens of their chosen answers."""
        pairs = [pair for batch in batch_samples for pair in batch]
        return torch.tensor([float(len(pairs)), float(sum(completion_tokens(pair["first_labels"]) for pair in pairs))], device=device)

    def compute_loss(self, model: nn.Module, inputs: dict, return_outputs: bool = False, num_items_in_batch=None):
        """TRL's `sigmoid` loss, the mean over the pairs of an optimiser step, and `sft_weight` times its `sft` loss, the mean over the tokens of
        their chosen answers. With row weights, each pair counts by its weight in both. TRL's own method divides by what a micro-batch has, so that
        cutting a step into other micro-batches would change its gradient."""
        pairs, tokens = num_items_in_batch
        of_rows, found, aux_loss = self.log_probabilities(model, inputs)
        chosen, rejected = found.chunk(2)
        chosen_by_start, rejected_by_start = self.reference_of(of_rows)
        chosen_ratio, rejected_ratio = chosen - chosen_by_start, rejected - rejected_by_start
        weights = of_rows.get("weight", torch.ones_like(chosen))
        loss = -(weights * logsigmoid(self.beta * (chosen_ratio - rejected_ratio))).sum() / pairs
        loss = loss - self.args.loss_weights[1] * (weights * chosen).sum() / tokens
        right = (chosen_ratio > rejected_ratio).float()
        self.measured = torch.stack([(self.beta * chosen_ratio).sum(), (self.beta * rejected_ratio).sum(), right.sum()]).detach()
        loss = self.with_aux_loss(loss, aux_loss)
        return (loss, None) if return_outputs else loss

    def measures_of_step(self, sums: list[float], step: list[Example]) -> dict[str, float]:
        chosen, rejected, right = (each / len(step) for each in sums)
        return {"rewards/chosen": chosen, "rewards/rejected": rejected, "rewards/margins": chosen - rejected, "rewards/accuracies": right}
