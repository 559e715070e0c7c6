"""Imitation: supervised fine-tuning on the completions (TRL's SFTTrainer). The objective of the paper."""

import torch
from datasets import Dataset
from torch import nn
from trl import SFTConfig, SFTTrainer

from ...protocol.trainer_messages import TrainingJob
from ..batches import collator_of
from ..job_trainer import JobTrainer
from ..micro_batches import Example, learnt_tokens
from ..training_rows import TrainingRows


class Trainer(JobTrainer, SFTTrainer):
    """Its batches are rows of tokens and labels, as TRL's own."""

    ROWS = "answers"

    @staticmethod
    def arguments(job: TrainingJob, common: dict) -> SFTConfig:
        # Tokens and labels are complete, so TRL's own preparation (five passes of datasets.map) is skipped.
        return SFTConfig(**common, dataset_kwargs={"skip_prepare_dataset": True})

    @staticmethod
    def dataset_of(rows: TrainingRows, job: TrainingJob) -> Dataset:
        columns = {"input_ids": rows.input_ids, "labels": rows.labels}
        return Dataset.from_dict(columns if rows.weights is None else columns | {"weight": rows.weights})

    def collator(self):
        return collator_of(self.base.tokenizer.pad_token_id, self.base.execution.padding_free, weighted=self.rows.weights is not None)

    def _get_num_items_in_batch(self, batch_samples: list[list[Example]], device: torch.device) -> torch.Tensor:
        return torch.tensor(float(sum(map(learnt_tokens, batch_samples))), device=device)

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
            loss = loss + self.router_aux_loss_coef * outputs.aux_loss / self.micro_batches_of_step
        return (loss, outputs) if return_outputs else loss
