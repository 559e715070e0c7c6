"""What the objectives that compare a model with its start have in common: two sequences in each row, and how likely the start finds them.

The reference is the model where the training starts. Its log-probabilities are computed once, before the first step, so that no second model stays
in memory and each step costs a third less. A training that continues from a checkpoint computes them again, from the same start.
"""

import math
from collections.abc import Callable

import torch
from datasets import Dataset
from peft import PeftModel
from torch import nn

from .batches import collator_of
from .job_trainer import JobTrainer
from .micro_batches import Example
from .ranks import shard_again
from .reporter import StoppedInsideStep
from .training_rows import IGNORED

Sequence = tuple[list[int], list[int]]  # tokens and labels
Measure = Callable[[dict, torch.Tensor], torch.Tensor]


class PreferenceTrainer(JobTrainer):
    """Its rows have two sequences each, `first` and `second`, the labels of both, and their place in the dataset (`row`).

    LEARNT are the sequences that have a gradient. `beta` and what is named aux_loss are those of TRL's trainer.
    """

    LEARNT: tuple[str, ...]
    OF_ROWS = ("row", "weight", "desirable")  # what a batch has beside the sequences
    reference: torch.Tensor | None = None  # (rows, 2): the log-probability of each sequence of a row by the start

    def __init__(self, job, network, *more, **options):
        super().__init__(job, network, *more, **options)
        if isinstance(network, PeftModel) and "ref" in network.peft_config:
            network.delete_adapter("ref")  # TRL's frozen copy of the start, which it would also save

    def _prepare_dataset(self, dataset, processing_class, args, dataset_name):
        return dataset  # it has tokens already

    def _precompute_ref_logps(self, dataset, name, batch_size):
        return dataset  # `before_first_step` does it

    @staticmethod
    def two_sequences(firsts: list[Sequence], seconds: list[Sequence], more: dict[str, list | None]) -> Dataset:
        columns: dict[str, list] = {"row": list(range(len(firsts)))}
        for name, sequences in (("first", firsts), ("second", seconds)):
            columns[name], columns[f"{name}_labels"] = (list(column) for column in zip(*sequences, strict=True))
        return Dataset.from_dict(columns | {name: values for name, values in more.items() if values is not None})

    def length_of(self, example: Example) -> int:
        return len(example["first"]) + len(example["second"])

    def collator(self):
        """TRL's collator of sequences, with or without padding, and what the loss needs of each row."""
        padding_free = self.base.execution.padding_free
        pad = collator_of(self.base.tokenizer.pad_token_id, padding_free, weighted=False)

        def collate(examples: list[Example], names: tuple[str, ...] = self.LEARNT) -> dict:
            sequences = [{"input_ids": example[name], "labels": example[f"{name}_labels"]} for name in names for example in examples]
            batch = pad(sequences) | {name: torch.tensor([each[name] for each in examples]) for name in self.OF_ROWS if name in examples[0]}
            if padding_free:
                batch["lengths"] = torch.tensor([len(sequence["input_ids"]) for sequence in sequences])
            return batch

        return collate

    def log_probabilities(self, model: nn.Module, inputs: dict) -> tuple[dict, torch.Tensor, torch.Tensor | None]:
        """What the batch says of its rows, the log-probability of each sequence's completion, and the auxiliary loss of a mixture of experts."""
        of_rows = {name: inputs.pop(name) for name in self.OF_ROWS if name in inputs}
        lengths = inputs.pop("lengths", None)
        if self.aux_loss_enabled:
            inputs["output_router_logits"] = torch.is_grad_enabled()
        outputs = model(**inputs, use_cache=False, fused_lm_head=True)
        found, aux_loss = outputs.log_probs.float(), outputs.aux_loss if self.aux_loss_enabled else None
        if lengths is None:
            return of_rows, found.sum(1), aux_loss
        # The sequences follow each other. Each place predicts the next token, and nothing predicts a sequence's first one.
        owner = torch.arange(len(lengths), device=found.device).repeat_interleave(lengths, output_size=found.shape[1] + 1)[1:]
        return of_rows, torch.zeros(len(lengths), device=found.device).index_add(0, owner, found[0]), aux_loss

    def with_aux_loss(self, loss: torch.Tensor, aux_loss: torch.Tensor | None) -> torch.Tensor:
        return loss if aux_loss is None else loss + self.router_aux_loss_coef * aux_loss / self.micro_batches_of_step

    def reference_of(self, of_rows: dict) -> tuple[torch.Tensor, torch.Tensor]:
        """The start's log-probabilities of the first and of the second sequence of rows."""
        first, second = self.reference[of_rows["row"]].unbind(1)
        return first, second

    def before_first_step(self) -> None:
        """Has the start judge all rows, each rank its part of them. The network still has the weights of the start."""
        if self.reference is not None:
            return
        examples = list(self.train_dataset)
        shares = [examples[rank :: self.ranks.size] for rank in range(self.ranks.size)]
        self.model.eval()
        own = self.without_gradient(self.model, shares, ("first", "second"), lambda _, found: found.view(2, -1).T)
        self.model.train()
        reference = torch.empty(len(examples), 2)
        for rank, part in enumerate(self.ranks.of_all(torch.cat(own).cpu() if own else None)):
            if part is not None:
                reference[rank :: self.ranks.size] = part
        self.reference = reference.to(self.args.device)
        if not torch.isfinite(self.reference).all():
            raise self.not_finite("log-probability of an answer by the model where the training starts", math.nan)

    def without_gradient(self, model: nn.Module, shares: list[list[Example]], names: tuple[str, ...], measure: Measure) -> list[torch.Tensor]:
        """`measure` of the named sequences' log-probabilities, one tensor for each micro-batch of this rank's share."""
        while True:
            micro_batches, fillers = self.micro_batches(shares)
            measured = []
            try:
                for examples in micro_batches + fillers:
                    if self.ranks.size == 1 and self.stop.requested:
                        raise StoppedInsideStep
                    with torch.no_grad(), self.compute_loss_context_manager():
                        of_rows, found, _ = self.log_probabilities(model, self.on_device(self.data_collator(examples, names)))
                    measured.append(measure(of_rows, found))
                shard_again(model)
                return measured[: len(micro_batches)]
            except (RuntimeError, MemoryError) as error:
                self.take_less_memory(error, shares[self.ranks.rank] or shares[0])


def completion_tokens(labels: list[int]) -> int:
    """How many tokens of a sequence the loss counts."""
    return sum(label != IGNORED for label in labels[1:])
